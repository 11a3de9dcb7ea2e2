import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError, type SettingProblem } from '#platform/config.ts';
import builtIn from './models.json' with { type: 'json' };
import { providerNames, type ProviderName } from './providers/provider.ts';

export const modelCapabilities = [
  'chat',
  'embedding',
  'streaming',
  'tools',
  'parallel_tool_calls',
  'vision',
  'json_object',
  'json_schema',
  'reasoning',
] as const;
export type ModelCapability = (typeof modelCapabilities)[number];

/** US dollars per million tokens as exact decimals, such as `0.075`. */
export interface ModelPrice {
  readonly inputUsd: string;
  readonly outputUsd: string;
  readonly cachedInputUsd: string;
  /** Names the price in ledger rows. */
  readonly version: string;
}

/** One entry of the catalogue, as `models.json` and LLM_MODELS_FILE hold it. */
export interface ModelEntry {
  /** `provider/name` as clients say it; `name` is what the vendor is asked for. */
  readonly id: string;
  readonly provider: ProviderName;
  readonly name: string;
  /** Several models may share an alias: the first whose provider is configured answers. */
  readonly aliases: readonly string[];
  /** Dated versions with the same price and abilities; the vendor is asked for them by their own name. */
  readonly snapshots: readonly string[];
  readonly contextWindow: number | null;
  readonly maxOutputTokens: number | null;
  readonly dimensions: number | null;
  readonly capabilities: readonly ModelCapability[];
  readonly price: ModelPrice | null;
}

const name = z.string().min(1).max(200);
const amount = z.string().regex(/^\d{1,9}(\.\d{1,12})?$/, {
  error: 'must be US dollars per million tokens as a decimal in quotes, such as "2.50"',
});
const tokens = z.int().positive().nullable();

const entrySchema = z.strictObject({
  id: name,
  provider: z.enum(providerNames).optional(),
  name: name.optional(),
  aliases: z.array(name).optional(),
  snapshots: z.array(name).optional(),
  contextWindow: tokens.optional(),
  maxOutputTokens: tokens.optional(),
  dimensions: tokens.optional(),
  capabilities: z.array(z.enum(modelCapabilities)).min(1).optional(),
  price: z
    .strictObject({ inputUsd: amount, outputUsd: amount.optional(), cachedInputUsd: amount.optional() })
    .nullable()
    .optional(),
});
type WrittenEntry = z.output<typeof entrySchema>;

const fileSchema = z.strictObject({
  /** Names these prices in the ledger; made from the file's content when left out. */
  priceVersion: z.string().min(1).max(100).optional(),
  models: z.array(entrySchema).max(10_000),
});

const isProvider = (value: string): value is ProviderName => (providerNames as readonly string[]).includes(value);

function builtInModels(): ModelEntry[] {
  const parsed = fileSchema.parse(builtIn);
  return parsed.models.map((written) => mergeEntry(undefined, written, parsed.priceVersion ?? 'catalogue'));
}

/**
 * The catalogue's models, with those of a file of the user's merged in by id: what an entry leaves out stays as it is,
 * new ids are added, `"price": null` takes a price away. An id without a provider, such as `gpt-4o`, means the
 * catalogue's model of that name.
 *
 * @param path LLM_MODELS_FILE; undefined: the catalogue alone
 * @throws ConfigError with every problem of the file at once
 */
export function loadModels(path?: string): ModelEntry[] {
  const models = builtInModels();
  if (path === undefined) return models;
  const { text, json } = readJson(path);
  // A list alone is as good as an object that holds it.
  const parsed = fileSchema.safeParse(Array.isArray(json) ? { models: json } : json);
  if (!parsed.success)
    throw new ConfigError(parsed.error.issues.map((issue) => problem(path, pathText(issue.path), issue.message)));
  const version =
    parsed.data.priceVersion ?? `models-file-${createHash('sha256').update(text).digest('hex').slice(0, 12)}`;
  return mergeModels(models, parsed.data.models, version, path);
}

function mergeModels(
  models: readonly ModelEntry[],
  written: readonly WrittenEntry[],
  version: string,
  path: string,
): ModelEntry[] {
  const byId = new Map(models.map((entry) => [entry.id, entry]));
  const seen = new Set<string>();
  const problems: SettingProblem[] = [];
  for (const [index, entry] of written.entries()) {
    const complain = (field: string, reason: string): void =>
      void problems.push(problem(path, `models[${index}].${field}`, reason));
    const id = canonicalId(entry, models);
    if (id === undefined) {
      complain('provider', `is needed for a model the catalogue does not know (${providerNames.join(', ')})`);
      continue;
    }
    if (seen.has(id)) complain('id', `${id} appears twice in the file`);
    seen.add(id);
    const known = byId.get(id);
    const prefix = id.slice(0, id.indexOf('/'));
    if (entry.provider !== undefined && entry.provider !== prefix) complain('provider', `does not fit the id ${id}`);
    if (known === undefined && (prefix === 'demo' || prefix === 'bundled'))
      complain('id', `${prefix} has no other models`);
    if (known === undefined && entry.capabilities === undefined)
      complain('capabilities', 'is needed for a model the catalogue does not know');
    byId.set(id, mergeEntry(known, { ...entry, id }, version));
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return [...byId.values()];
}

/** `provider/name`, or undefined where the provider cannot be told. */
function canonicalId(entry: WrittenEntry, models: readonly ModelEntry[]): string | undefined {
  const slash = entry.id.indexOf('/');
  if (slash > 0 && isProvider(entry.id.slice(0, slash))) return entry.id;
  if (entry.provider !== undefined) return `${entry.provider}/${entry.id}`;
  return models.find((model) => model.name === entry.id)?.id;
}

function mergeEntry(known: ModelEntry | undefined, written: WrittenEntry, version: string): ModelEntry {
  const slash = written.id.indexOf('/');
  const capabilities = written.capabilities ?? known?.capabilities ?? [];
  return {
    id: written.id,
    provider: written.id.slice(0, slash) as ProviderName,
    name: written.name ?? known?.name ?? written.id.slice(slash + 1),
    aliases: written.aliases ?? known?.aliases ?? [],
    snapshots: written.snapshots ?? known?.snapshots ?? [],
    contextWindow: written.contextWindow === undefined ? (known?.contextWindow ?? null) : written.contextWindow,
    maxOutputTokens: written.maxOutputTokens === undefined ? (known?.maxOutputTokens ?? null) : written.maxOutputTokens,
    dimensions: written.dimensions === undefined ? (known?.dimensions ?? null) : written.dimensions,
    capabilities,
    price: written.price === undefined ? (known?.price ?? null) : priceOf(written.price, version),
  };
}

function priceOf(written: NonNullable<WrittenEntry['price']> | null, version: string): ModelPrice | null {
  if (written === null) return null;
  return {
    inputUsd: written.inputUsd,
    outputUsd: written.outputUsd ?? '0',
    cachedInputUsd: written.cachedInputUsd ?? written.inputUsd,
    version,
  };
}

function readJson(path: string): { text: string; json: unknown } {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError([
      problem(path, '', `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`),
    ]);
  }
  try {
    return { text, json: JSON.parse(text) as unknown };
  } catch (error) {
    throw new ConfigError([problem(path, '', `is not JSON (${(error as Error).message})`)]);
  }
}

/** What a vendor's model can write at most, by the vendor's own name for it; for `createProviders`. */
export function outputTokensMaxOf(
  models: readonly ModelEntry[],
  provider: ProviderName,
): (name: string) => number | undefined {
  const byName = new Map<string, number>();
  for (const entry of models) {
    if (entry.provider !== provider || entry.maxOutputTokens === null) continue;
    for (const name of [entry.name, ...entry.snapshots]) byName.set(name, entry.maxOutputTokens);
  }
  return (name) => byName.get(name);
}

const problem = (file: string, field: string, reason: string): SettingProblem => ({
  name: 'LLM_MODELS_FILE',
  reason: field === '' ? `${file} ${reason}` : `${file}: ${field}: ${reason}`,
});

const pathText = (path: readonly PropertyKey[]): string =>
  path.map((key, index) => (typeof key === 'number' ? `[${key}]` : `${index === 0 ? '' : '.'}${String(key)}`)).join('');
