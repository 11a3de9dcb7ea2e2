/**
 * Builds a value that fits a JSON Schema, taking what it can from a text: JSON in it, `name: value`, quoted words,
 * numbers, dates, capitalised words. The same schema and text give the same value.
 */
type Schema = Readonly<Record<string, unknown>>;

/** Deeper schemas, such as ones that contain themselves, end in null or nothing. */
const depthMax = 12;
/** Most values built, so that a schema that contains itself many times over ends too. */
const valuesMax = 1000;
const itemsMax = 100;
const textLengthMax = 20_000;

interface Source {
  readonly text: string;
  readonly root: Schema;
  /** Values of JSON objects found in the text, by property. */
  readonly given: Readonly<Record<string, unknown>>;
  readonly quoted: string[];
  readonly numbers: number[];
  readonly names: string[];
  readonly budget: { left: number };
}

const stringsIn = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];

/** @param text what the values are taken from, such as the user's last message */
export function instanceOf(schema: Schema, text: string): unknown {
  const source = text.slice(0, textLengthMax);
  const withoutJson = source.replaceAll(/\{[^{}]*\}/g, ' ');
  return build(
    schema,
    '',
    {
      text: source,
      root: schema,
      given: jsonIn(source),
      quoted: [...withoutJson.matchAll(/["“«']([^"“”«»']{1,200})["”»'](?![\p{L}])/gu)].map((match) => match[1] ?? ''),
      numbers: (withoutJson.match(/(?<![\p{L}\d_.-])-?\d{1,15}(?:\.\d{1,10})?(?![\p{L}\d_])/gu) ?? []).map(Number),
      names: [
        ...withoutJson.matchAll(/(?<=\p{Ll}[\s,]{1,3})\p{Lu}[\p{L}\p{N}’'-]+(?:\s+\p{Lu}[\p{L}\p{N}’'-]+)*/gu),
      ].map((match) => match[0]),
      budget: { left: valuesMax },
    },
    0,
  );
}

function jsonIn(text: string): Record<string, unknown> {
  const start = text.indexOf('{');
  const end = text.lastIndexOf('}');
  if (start < 0 || end < start) return {};
  try {
    return JSON.parse(text.slice(start, end + 1)) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** Follows references and joins `allOf`; each step takes from the budget, as both may lead back to themselves. */
function resolve(schema: Schema, source: Pick<Source, 'root' | 'budget'>): Schema {
  source.budget.left -= 1;
  if (source.budget.left < 0) return {};
  let current = schema;
  for (let step = 0; step < depthMax && typeof current['$ref'] === 'string'; step += 1) {
    const path = current['$ref']
      .replace(/^#\/?/, '')
      .split('/')
      .filter((part) => part !== '');
    const target = path.reduce<unknown>((value, key) => {
      const name = key.replaceAll('~1', '/').replaceAll('~0', '~');
      return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
    }, source.root);
    current = isObject(target) ? target : {};
  }
  const parts = current['allOf'];
  if (!Array.isArray(parts)) return current;
  const { allOf: _, ...rest } = current;
  return parts.reduce<Schema>(
    (merged, part: unknown) => (isObject(part) ? merge(merged, resolve(part, source)) : merged),
    rest,
  );
}

const merge = (left: Schema, right: Schema): Schema => ({
  ...left,
  ...right,
  properties: { ...objectOf(left['properties']), ...objectOf(right['properties']) },
  required: [...new Set([...stringsIn(left['required']), ...stringsIn(right['required'])])],
});

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const objectOf = (value: unknown): Record<string, unknown> => (isObject(value) ? value : {});

function typeOf(schema: Schema): string {
  const { type } = schema;
  if (typeof type === 'string') return type;
  if (Array.isArray(type)) return (type as string[]).find((name) => name !== 'null') ?? 'null';
  if (isObject(schema['properties']) || Array.isArray(schema['required'])) return 'object';
  if (schema['items'] !== undefined) return 'array';
  return 'string';
}

function build(written: Schema, name: string, source: Source, depth: number): unknown {
  source.budget.left -= 1;
  if (depth > depthMax || source.budget.left < 0) return null;
  const schema = resolve(written, source);
  if ('const' in schema) return schema['const'];
  const explicit = explicitValue(name, source);
  if (Array.isArray(schema['enum'])) return chooseEnum(schema['enum'], explicit, source.text);
  const choices = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(choices)) {
    const candidates = choices.filter(isObject);
    return build(
      candidates.find((choice) => choice['type'] !== 'null') ?? candidates[0] ?? {},
      name,
      source,
      depth + 1,
    );
  }
  const type = typeOf(schema);
  switch (type) {
    case 'object':
      return buildObject(schema, name, source, depth);
    case 'array':
      return buildArray(schema, name, source, depth);
    case 'number':
    case 'integer':
      return buildNumber(schema, type, explicit, source);
    case 'boolean':
      return explicit === undefined ? true : !/^(false|no|0|off)$/i.test(String(explicit));
    case 'null':
      return null;
    default:
      return buildString(schema, name, explicit, source);
  }
}

function buildObject(schema: Schema, name: string, source: Source, depth: number): Record<string, unknown> {
  const properties = objectOf(schema['properties']);
  const required = stringsIn(schema['required']);
  const nested = source.given[name];
  const inner: Source = name !== '' && isObject(nested) ? { ...source, given: nested } : source;
  const mentioned = Object.keys(properties).filter((key) => explicitValue(key, inner) !== undefined);
  // An object without required properties would say nothing: it gets the first one.
  const fallback =
    required.length === 0 && mentioned.length === 0 && depth === 0 ? Object.keys(properties).slice(0, 1) : [];
  const wanted = new Set([...required, ...mentioned, ...fallback]);
  const entries = [...wanted]
    .toSorted((left, right) => Object.keys(properties).indexOf(left) - Object.keys(properties).indexOf(right))
    .map((key): [string, unknown] => {
      const property = properties[key];
      return [key, build(isObject(property) ? property : {}, key, inner, depth + 1)];
    });
  return Object.fromEntries(entries);
}

function buildArray(schema: Schema, name: string, source: Source, depth: number): unknown[] {
  const given = source.given[name];
  if (Array.isArray(given)) return given;
  const items = isObject(schema['items']) ? schema['items'] : {};
  const least = Math.min(Math.max(Number(schema['minItems'] ?? 1), 0), itemsMax);
  const most = Math.min(Number(schema['maxItems'] ?? itemsMax), itemsMax);
  return Array.from({ length: Math.min(Math.max(least, depth < depthMax ? 1 : 0), most) }, () =>
    build(items, name, source, depth + 1),
  );
}

function chooseEnum(values: readonly unknown[], explicit: unknown, text: string): unknown {
  const lower = text.toLowerCase();
  const exact = values.find(
    (value) => value === explicit || String(value).toLowerCase() === String(explicit).toLowerCase(),
  );
  return (
    exact ??
    values.find((value) => typeof value === 'string' && value !== '' && lower.includes(value.toLowerCase())) ??
    values[0] ??
    null
  );
}

/** What the text says of a property by its name: from JSON in it, or `name: value`, `name = value`. */
function explicitValue(name: string, source: Source): unknown {
  if (name === '') return undefined;
  if (Object.hasOwn(source.given, name)) return source.given[name];
  const spelled = name.replaceAll(/[^\p{L}\p{N}]/gu, '[ _-]?').slice(0, 200);
  const match = new RegExp(
    `(?<![\\p{L}\\p{N}])${spelled}\\s*[:=]\\s*(?:"([^"]*)"|'([^']*)'|([^\\s,;]+(?:(?<![.!?])(?=[,;]|$))?))`,
    'iu',
  ).exec(source.text);
  return match?.[1] ?? match?.[2] ?? match?.[3]?.replace(/[.!?]+$/, '');
}

function buildNumber(schema: Schema, type: string, explicit: unknown, source: Source): number {
  const stated = explicit === undefined ? Number.NaN : Number(explicit);
  let value = Number.isFinite(stated)
    ? stated
    : (source.numbers.shift() ?? (typeof schema['default'] === 'number' ? schema['default'] : 1));
  if (type === 'integer') value = Math.round(value);
  const step = type === 'integer' ? 1 : 0.5;
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  if (typeof minimum === 'number' && value < minimum) value = type === 'integer' ? Math.ceil(minimum) : minimum;
  if (typeof maximum === 'number' && value > maximum) value = type === 'integer' ? Math.floor(maximum) : maximum;
  if (typeof exclusiveMinimum === 'number' && value <= exclusiveMinimum) value = exclusiveMinimum + step;
  if (typeof exclusiveMaximum === 'number' && value >= exclusiveMaximum) value = exclusiveMaximum - step;
  if (typeof multipleOf === 'number' && multipleOf > 0) {
    const least = typeof minimum === 'number' ? minimum : Number.NEGATIVE_INFINITY;
    value = Math.floor(value / multipleOf) * multipleOf;
    if (value < least) value += multipleOf;
  }
  return value;
}

const formats: Readonly<Record<string, { readonly pattern: RegExp; readonly fallback: string }>> = {
  'date-time': {
    pattern: /\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)/,
    fallback: '2000-01-01T00:00:00Z',
  },
  date: { pattern: /\d{4}-\d\d-\d\d/, fallback: '2000-01-01' },
  time: { pattern: /\d\d:\d\d(?::\d\d)?/, fallback: '00:00:00Z' },
  email: { pattern: /[^\s@<>"']{1,64}@[^\s@<>"']{1,200}\.[\p{L}]{2,20}/u, fallback: 'demo@example.org' },
  uri: { pattern: /https?:\/\/[^\s"'<>)]+/, fallback: 'https://example.org/' },
  url: { pattern: /https?:\/\/[^\s"'<>)]+/, fallback: 'https://example.org/' },
  uuid: { pattern: /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/i, fallback: '00000000-0000-4000-8000-000000000000' },
  ipv4: { pattern: /\d{1,3}(?:\.\d{1,3}){3}/, fallback: '192.0.2.1' },
};

function buildString(schema: Schema, name: string, explicit: unknown, source: Source): string {
  const format = typeof schema['format'] === 'string' ? formats[schema['format']] : undefined;
  if (format !== undefined) return format.pattern.exec(source.text)?.[0] ?? format.fallback;
  const examples = schema['examples'];
  const value =
    (explicit === undefined ? undefined : String(explicit)) ??
    source.quoted.shift() ??
    (/(city|place|location|name|country|town|person|title|who|where)/i.test(name) ? source.names.shift() : undefined) ??
    (typeof schema['default'] === 'string' ? schema['default'] : undefined) ??
    (Array.isArray(examples) && typeof examples[0] === 'string' ? examples[0] : undefined) ??
    source.text.trim();
  const least = Math.min(Number(schema['minLength'] ?? 0), textLengthMax);
  const most = Math.min(Number(schema['maxLength'] ?? 2000), textLengthMax);
  return value.slice(0, most).padEnd(least, '.');
}
