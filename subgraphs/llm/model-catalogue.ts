import { AppError } from '#platform/errors.ts';
import type { ModelCapability, ModelEntry, ModelPrice } from './model-catalogue-file.ts';
import { nearNames } from './model-catalogue-near-names.ts';
import { type ProviderName, providerNames, type ProviderRequest } from './providers/provider.ts';

/** A model as a request gets it. */
export interface ResolvedModel {
  /** `provider/name`, or as the catalogue calls it. */
  readonly id: string;
  readonly provider: ProviderName;
  /** What the vendor is asked for. */
  readonly name: string;
  /** Null: nobody knows it, so costs are null too. */
  readonly price: ModelPrice | null;
  readonly contextWindow: number | null;
  readonly maxOutputTokens: number | null;
  /** Of an embedding model. */
  readonly dimensions: number | null;
  /** Empty when the catalogue does not know the model: the vendor decides then. */
  readonly capabilities: readonly ModelCapability[];
  /** False for a name that is passed through to its provider. */
  readonly known: boolean;
  /** The catalogue's id of the model that the demo model answers for, because no provider is configured. */
  readonly standInFor: string | undefined;
}

export interface ListedModel extends ResolvedModel {
  readonly aliases: readonly string[];
  readonly available: boolean;
  /** Why it is not available, or who stands in for it. */
  readonly reason: string | null;
}

/** The models a local server has loaded. */
export interface LocalModels {
  /** Cached for a while; an unreachable server is `reason`, not a rejection. */
  list(): Promise<{ readonly names: readonly string[]; readonly reason: string | null }>;
}

export interface ModelCatalogueOptions {
  /** `loadModels(path)` of model-catalogue-file.ts. */
  readonly models: readonly ModelEntry[];
  /** Keys of `createProviders(…)`: the vendors with a key or URL, and `demo` and `bundled` where they may be used. */
  readonly configuredProviders: Iterable<ProviderName>;
  /** Absent when no local server is configured. */
  readonly localModels?: LocalModels | undefined;
  /** A price set at run time (`setModelPrice`); it wins over the catalogue's. Called once a resolve: answer from memory. */
  readonly priceOverride?: ((provider: ProviderName, name: string) => ModelPrice | undefined) | undefined;
  /** EMBEDDING_MODEL. */
  readonly embeddingModel?: string | undefined;
}

export interface ModelCatalogue {
  /**
   * Finds the model for a name: id, alias, or `provider/model`, where the last may be one the catalogue doesn't know.
   *
   * @param capability what it is wanted for
   * @throws AppError MODEL_NOT_FOUND with near names, PROVIDER_NOT_CONFIGURED with the setting's name,
   *   UNSUPPORTED_BY_MODEL for an embedding model asked to chat and the other way round
   */
  resolve(name: string, capability?: 'chat' | 'embedding'): Promise<ResolvedModel>;
  /** The model for a name whether or not it can answer now, for `model(id)` and setModelPrice; undefined: nobody knows it. */
  find(name: string): Promise<ListedModel | undefined>;
  /** Everything the catalogue and a local server know, in the catalogue's order. */
  list(): Promise<ListedModel[]>;
  /** The model of `embed` requests that name none. */
  readonly defaultEmbeddingModel: string;
  /** True when no vendor is configured and the demo model answers for all. */
  readonly demoAnswersForAll: boolean;
}

/** The settings that switch a vendor on. */
export const providerSettings: Readonly<Record<ProviderName, string>> = {
  openai: 'OPENAI_API_KEY',
  anthropic: 'ANTHROPIC_API_KEY',
  deepseek: 'DEEPSEEK_API_KEY',
  local: 'LOCAL_LLM_BASE_URL',
  demo: 'the embedded start',
  bundled: 'the embedded start',
};

const isProvider = (value: string): value is ProviderName => (providerNames as readonly string[]).includes(value);

/** A client's own text in a message: short, and without control characters. */
const quoted = (name: string): string => {
  const clean = name.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '�');
  return `"${clean.length > 100 ? `${clean.slice(0, 100)}…` : clean}"`;
};

export function createModelCatalogue(options: ModelCatalogueOptions): ModelCatalogue {
  const configured = new Set(options.configuredProviders);
  const vendors: readonly ProviderName[] = ['openai', 'anthropic', 'deepseek', 'local'];
  const demo = options.models.find((entry) => entry.provider === 'demo');
  const demoAnswersForAll =
    configured.has('demo') && demo !== undefined && !vendors.some((vendor) => configured.has(vendor));
  const entriesByName = indexByName(options.models);
  const priceOf = (provider: ProviderName, name: string): ModelPrice | undefined =>
    options.priceOverride?.(provider, name);

  const fromEntry = (entry: ModelEntry, asked: string): ResolvedModel => {
    const name = entry.snapshots.includes(asked) ? asked : entry.name;
    return {
      id: entry.id,
      provider: entry.provider,
      name,
      price:
        priceOf(entry.provider, name) ??
        (name === entry.name ? undefined : priceOf(entry.provider, entry.name)) ??
        entry.price,
      contextWindow: entry.contextWindow,
      maxOutputTokens: entry.maxOutputTokens,
      dimensions: entry.dimensions,
      capabilities: entry.capabilities,
      known: true,
      standInFor: undefined,
    };
  };
  const passedThrough = (provider: ProviderName, name: string): ResolvedModel => ({
    id: `${provider}/${name}`,
    provider,
    name,
    price: priceOf(provider, name) ?? null,
    contextWindow: null,
    maxOutputTokens: null,
    dimensions: null,
    capabilities: [],
    known: false,
    standInFor: undefined,
  });

  const notFound = async (name: string): Promise<AppError> => {
    const local = configured.has('local') ? ((await options.localModels?.list())?.names ?? []) : [];
    const near = nearNames(name, [...entriesByName.keys(), ...local, ...local.map((model) => `local/${model}`)]);
    const hint =
      near.length > 0
        ? ` Did you mean ${near.join(', ')}?`
        : ' Name one by id, alias, or provider/model (openai, anthropic, deepseek, local); `models` lists them.';
    return new AppError('MODEL_NOT_FOUND', `There is no model ${quoted(name)}.${hint}`);
  };

  /** The entry or pass-through for a name, whether its provider is configured or not; undefined: nobody knows it. */
  const lookUp = async (asked: string): Promise<ResolvedModel | undefined> => {
    const entries = entriesByName.get(asked);
    const entry = entries?.find((candidate) => configured.has(candidate.provider)) ?? entries?.[0];
    if (entry !== undefined)
      return fromEntry(entry, asked.slice(asked.startsWith(`${entry.provider}/`) ? entry.provider.length + 1 : 0));
    const slash = asked.indexOf('/');
    const prefix = asked.slice(0, Math.max(slash, 0));
    const rest = asked.slice(slash + 1);
    if (isProvider(prefix) && prefix !== 'demo' && prefix !== 'bundled' && isModelName(rest))
      return passedThrough(prefix, rest);
    if (!configured.has('local') || options.localModels === undefined) return undefined;
    const { names } = await options.localModels.list();
    // Ollama lists `llama3.2:latest` and answers to `llama3.2`.
    const local = names.find((name) => name === asked) ?? names.find((name) => name === `${asked}:latest`);
    return local === undefined ? undefined : passedThrough('local', local);
  };

  const standInFor = (model: ResolvedModel): ResolvedModel | undefined => {
    if (!demoAnswersForAll || demo === undefined || !model.known || !model.capabilities.includes('chat'))
      return undefined;
    return model.provider === 'demo' ? undefined : { ...fromEntry(demo, demo.name), standInFor: model.id };
  };

  const notConfigured = (asked: string, model: ResolvedModel): AppError => {
    const providers = new Set((entriesByName.get(asked) ?? []).map((entry) => entry.provider)).add(model.provider);
    const settings = [...providers].map((provider) => providerSettings[provider]);
    const instead =
      model.capabilities.includes('embedding') && configured.has('bundled')
        ? ' The bundled model universal-sentence-encoder needs no key.'
        : '';
    return new AppError(
      'PROVIDER_NOT_CONFIGURED',
      `The model ${quoted(asked)} needs the provider ${[...providers].join(' or ')}: set ${settings.join(' or ')}.${instead}`,
    );
  };

  const listed = (model: ResolvedModel, aliases: readonly string[], local: { reason: string | null }): ListedModel => {
    const standIn = standInFor(model);
    if (standIn !== undefined) {
      const reason = `No provider is configured: the demo model answers for it. Set ${providerSettings[model.provider]} for the real one.`;
      return { ...model, standInFor: undefined, aliases, available: true, reason };
    }
    if (!configured.has(model.provider)) {
      return { ...model, aliases, available: false, reason: `Set ${providerSettings[model.provider]} to use it.` };
    }
    const reason = model.provider === 'local' ? local.reason : null;
    return { ...model, aliases, available: reason === null, reason };
  };

  const localNow = async (): Promise<{ names: readonly string[]; reason: string | null }> =>
    (configured.has('local') ? await options.localModels?.list() : undefined) ?? { names: [], reason: null };

  return {
    demoAnswersForAll,
    defaultEmbeddingModel:
      options.embeddingModel ??
      (configured.has('openai') ? 'openai/text-embedding-3-small' : 'bundled/universal-sentence-encoder'),

    async resolve(asked, capability) {
      const model = await lookUp(asked);
      if (model === undefined) throw await notFound(asked);
      if (capability !== undefined && model.known && !model.capabilities.includes(capability)) {
        throw new AppError('UNSUPPORTED_BY_MODEL', wrongKind(model, capability));
      }
      const standIn = capability === 'embedding' ? undefined : standInFor(model);
      if (standIn !== undefined) return standIn;
      if (!configured.has(model.provider)) throw notConfigured(asked, model);
      return model;
    },

    async find(asked) {
      const model = await lookUp(asked);
      if (model === undefined) return undefined;
      const aliases = options.models.find((entry) => entry.id === model.id)?.aliases ?? [];
      return listed(model, aliases, model.provider === 'local' ? await localNow() : { reason: null });
    },

    async list() {
      const local = await localNow();
      const entries = options.models
        .filter(
          (entry) => (entry.provider !== 'demo' && entry.provider !== 'bundled') || configured.has(entry.provider),
        )
        .map((entry) => listed(fromEntry(entry, entry.name), entry.aliases, local));
      const known = new Set(entries.map((entry) => `${entry.provider}/${entry.name}`));
      const others = local.names.filter((name) => !known.has(`local/${name}`));
      return [...entries, ...others.map((name) => listed(passedThrough('local', name), [], local))];
    },
  };
}

/** Ids first, then vendors' own names, snapshots and aliases: an alias never hides a model of that name. */
function indexByName(models: readonly ModelEntry[]): Map<string, ModelEntry[]> {
  const index = new Map<string, ModelEntry[]>();
  const add = (name: string, entry: ModelEntry): void => {
    const entries = index.get(name);
    if (entries === undefined) index.set(name, [entry]);
    else if (!entries.includes(entry)) entries.push(entry);
  };
  for (const entry of models) add(entry.id, entry);
  for (const entry of models) {
    const bare = entry.id.slice(entry.provider.length + 1);
    for (const name of [entry.name, bare, ...entry.snapshots]) {
      add(name, entry);
      add(`${entry.provider}/${name}`, entry);
    }
  }
  const real = new Set(index.keys());
  for (const entry of models) {
    for (const alias of entry.aliases) {
      if (!real.has(alias)) add(alias, entry);
      if (!real.has(`${entry.provider}/${alias}`)) add(`${entry.provider}/${alias}`, entry);
    }
  }
  return index;
}

/** What a vendor could call a model: up to 200 printable characters without blanks. */
const isModelName = (name: string): boolean => /^[\x21-\x7e]{1,200}$/.test(name);

const wrongKind = (model: ResolvedModel, capability: 'chat' | 'embedding'): string =>
  capability === 'chat'
    ? `${model.id} is an embedding model and cannot chat; use it with embed.`
    : `${model.id} is a chat model and makes no embeddings; name an embedding model, such as text-embedding-3-small.`;

/**
 * Refuses what the catalogue knows the model cannot do, before anything is sent. A model it does not know passes: its
 * vendor decides.
 *
 * @throws AppError UNSUPPORTED_BY_MODEL that names the field
 */
export function requireCapabilities(model: ResolvedModel, request: Omit<ProviderRequest, 'model'>): void {
  if (!model.known) return;
  const missing = (capability: ModelCapability): boolean => !model.capabilities.includes(capability);
  const refuse = (path: string, what: string): never => {
    throw new AppError('UNSUPPORTED_BY_MODEL', `${model.id} ${what}; leave out \`${path}\` or choose another model.`, {
      details: [{ path, reason: `not supported by ${model.id}` }],
    });
  };
  if ((request.tools?.length ?? 0) > 0 && missing('tools')) refuse('tools', 'cannot call tools');
  const format = request.responseFormat?.type;
  if (format === 'json_schema' && missing('json_schema')) refuse('responseFormat', 'cannot answer by a JSON schema');
  if (format === 'json_object' && missing('json_object')) refuse('responseFormat', 'has no json_object mode');
  const effort = request.reasoning?.effort;
  const reasons = (effort !== undefined && effort !== 'none') || (request.reasoning?.maxTokens ?? 0) > 0;
  if (reasons && missing('reasoning')) refuse('reasoning', 'does not reason');
  const image = request.messages.findIndex(
    (message) =>
      message.role === 'user' &&
      typeof message.content !== 'string' &&
      message.content.some((part) => part.type === 'image_url'),
  );
  if (image >= 0 && missing('vision')) refuse(`messages[${image}].content`, 'cannot see images');
}
