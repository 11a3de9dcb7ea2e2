import fc from 'fast-check';
import { buildSchema, parse, type GraphQLInputType } from 'graphql';
import { describe, expect, test } from 'vitest';
import { toSnakeCase, toSnakeCaseNames } from './case-mapping.ts';
import { compileInput } from './input-mapping.ts';
import { InputReading } from './input-path.ts';
import { compileOutput } from './output-mapping.ts';
import { rootShape } from './output-shape.ts';

describe('names', () => {
  test.each([
    ['id', 'id'],
    ['costUsd', 'cost_usd'],
    ['latencyMsP50', 'latency_ms_p50'],
    ['timeToFirstTokenMs', 'time_to_first_token_ms'],
    ['topP', 'top_p'],
    ['microdaoId', 'microdao_id'],
    ['userIDs', 'user_i_ds'],
    ['requestURL', 'request_url'],
    ['HTTPStatus', 'http_status'],
  ])('%s is %s in REST', (name, restName) => {
    expect(toSnakeCase(name)).toBe(restName);
  });

  test('two fields that would become the same are refused when the table is compiled', () => {
    expect(() => toSnakeCaseNames(['userId', 'userID'], 'Thing')).toThrow(
      'Thing: userId and userID are both user_id in REST.',
    );
  });
});

// --- a value that goes to REST and comes back is the same value, whatever the types are -------------------------------

type FieldType =
  | { readonly kind: 'scalar'; readonly name: 'String' | 'Int' | 'Float' | 'Boolean' | 'ID' | 'JSON' }
  | { readonly kind: 'enum' }
  | { readonly kind: 'list'; readonly item: FieldType }
  | { readonly kind: 'object'; readonly fields: Readonly<Record<string, FieldType>> };

const camelName = fc
  .array(fc.stringMatching(/^[a-z]{1,6}[0-9]?$/), { minLength: 1, maxLength: 4 })
  .map(
    ([first = '', ...others]) => first + others.map((word) => (word[0] ?? '').toUpperCase() + word.slice(1)).join(''),
  );

const { type: fieldType } = fc.letrec<{ type: FieldType }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'type' },
    fc.record({
      kind: fc.constant('scalar' as const),
      name: fc.constantFrom('String', 'Int', 'Float', 'Boolean', 'ID', 'JSON'),
    }) as fc.Arbitrary<FieldType>,
    fc.constant<FieldType>({ kind: 'enum' }),
    fc.record({ kind: fc.constant('list' as const), item: tie('type') }) as fc.Arbitrary<FieldType>,
    fc.record({ kind: fc.constant('object' as const), fields: fieldsOf(tie('type')) }) as fc.Arbitrary<FieldType>,
  ),
}));

function fieldsOf(type: fc.Arbitrary<FieldType>): fc.Arbitrary<Record<string, FieldType>> {
  return fc
    .uniqueArray(fc.tuple(camelName, type), { minLength: 1, maxLength: 4, selector: ([name]) => toSnakeCase(name) })
    .map((fields) => Object.fromEntries(fields));
}

const wellFormed = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
const json = fc
  .jsonValue({ maxDepth: 3 })
  .filter((value) => !JSON.stringify(value).includes('\\u0000') && JSON.stringify(value).isWellFormed());

function valueOf(type: FieldType): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case 'enum':
      return fc.constantFrom('PLAIN', 'TWO_WORDS', 'V2');
    case 'list':
      return fc.array(fc.option(valueOf(type.item)), { maxLength: 3 });
    case 'object':
      return fc.record(
        Object.fromEntries(Object.entries(type.fields).map(([name, inner]) => [name, fc.option(valueOf(inner))])),
      );
    case 'scalar':
      return {
        String: wellFormed,
        ID: wellFormed,
        Int: fc.integer({ min: -2_147_483_648, max: 2_147_483_647 }),
        Float: fc.double({ noNaN: true, noDefaultInfinity: true }),
        Boolean: fc.boolean(),
        JSON: json,
      }[type.name];
  }
}

/** SDL of an output and an input type with the same fields, and the selection of all of them. */
function describeTypes(root: Record<string, FieldType>): { sdl: string; selection: string } {
  const definitions: string[] = [];
  let count = 0;
  const define = (fields: Record<string, FieldType>): { name: string; selection: string } => {
    const name = `T${(count += 1)}`;
    const described = Object.entries(fields).map(([field, type]) => ({ field, ...typeText(type) }));
    definitions.push(`type ${name} { ${described.map(({ field, output }) => `${field}: ${output}`).join(' ')} }`);
    definitions.push(`input ${name}Input { ${described.map(({ field, input }) => `${field}: ${input}`).join(' ')} }`);
    return { name, selection: `{ ${described.map(({ field, selection }) => `${field} ${selection}`).join(' ')} }` };
  };
  const typeText = (type: FieldType): { output: string; input: string; selection: string } => {
    if (type.kind === 'scalar') return { output: type.name, input: type.name, selection: '' };
    if (type.kind === 'enum') return { output: 'Choice', input: 'Choice', selection: '' };
    if (type.kind === 'list') {
      const { output, input, selection } = typeText(type.item);
      return { output: `[${output}]`, input: `[${input}]`, selection };
    }
    const { name, selection } = define(type.fields);
    return { output: name, input: `${name}Input`, selection };
  };
  const { name, selection } = define(root);
  const sdl = `scalar JSON enum Choice { PLAIN TWO_WORDS V2 } type Query { root(input: ${name}Input): ${name} } ${definitions.join('\n')}`;
  return { sdl, selection };
}

test('whatever the types, a value comes back from REST as it went, and all its own names are snake_case there', () => {
  const cases = fieldsOf(fieldType).chain((fields) =>
    fc.tuple(fc.constant(fields), valueOf({ kind: 'object', fields })),
  );
  fc.assert(
    fc.property(cases, ([fields, value]) => {
      const { sdl, selection } = describeTypes(fields);
      const schema = buildSchema(sdl);
      const toRest = compileOutput(rootShape(schema, parse(`{ root ${selection} }`)).shape);
      const fromRest = compileInput(schema.getQueryType()?.getFields()['root']?.args[0]?.type as GraphQLInputType);

      const rest = toRest(value) as Record<string, unknown>;
      const reading = new InputReading();
      expect(fromRest(JSON.parse(JSON.stringify(rest)), reading)).toEqual(JSON.parse(JSON.stringify(value)));
      expect(reading.problems).toEqual([]);
      expect(Object.keys(rest)).toEqual(Object.keys(fields).map(toSnakeCase));
    }),
    { numRuns: 300 },
  );
});
