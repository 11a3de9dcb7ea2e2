import { invalidInput } from '#platform/errors.ts';
import type { ListedModel } from './model-catalogue.ts';
import { providerNames } from './providers/provider.ts';
import { checkFirst } from './requests.ts';
import type { Model, ModelCapability, ModelConnection } from './resolver-types.ts';

/** A catalogue's model in the schema's words. */
export function toModel(model: ListedModel): Model {
  const {
    id,
    provider,
    name,
    aliases,
    contextWindow,
    maxOutputTokens,
    dimensions,
    capabilities,
    price,
    available,
    reason,
  } = model;
  return {
    id,
    provider,
    name,
    aliases,
    contextWindow,
    maxOutputTokens,
    dimensions,
    capabilities: capabilities.map((capability) => capability.toUpperCase() as ModelCapability),
    price:
      price === null
        ? null
        : {
            inputUsd: Number(price.inputUsd),
            outputUsd: Number(price.outputUsd),
            cachedInputUsd: Number(price.cachedInputUsd),
            version: price.version,
          },
    available,
    reason,
  };
}

const cursorOf = (id: string): string => Buffer.from(`m1:${id}`).toString('base64url');

/**
 * A page of the catalogue, in its order.
 *
 * @throws AppError INVALID_INPUT for an unknown provider, a cursor of no model, or a page size out of 1 to 100
 */
export function toModelConnection(
  models: readonly ListedModel[],
  page: {
    readonly provider?: string | null | undefined;
    readonly first: number;
    readonly after?: string | null | undefined;
  },
): ModelConnection {
  const { provider, after } = page;
  const first = checkFirst(page.first);
  if (provider != null && !(providerNames as readonly string[]).includes(provider)) {
    throw invalidInput([{ path: 'provider', reason: `must be one of ${providerNames.join(', ')}` }]);
  }
  const wanted = provider == null ? models : models.filter((model) => model.provider === provider);
  let start = 0;
  if (after != null) {
    const id = Buffer.from(after, 'base64url').toString();
    start = wanted.findIndex((model) => `m1:${model.id}` === id) + 1;
    if (start === 0) throw invalidInput([{ path: 'after', reason: 'must be a cursor that an earlier page gave' }]);
  }
  const shown = wanted.slice(start, start + first).map(toModel);
  const edges = shown.map((node) => ({ node, cursor: cursorOf(node.id) }));
  return {
    nodes: shown,
    edges,
    pageInfo: {
      hasNextPage: start + shown.length < wanted.length,
      hasPreviousPage: start > 0,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}
