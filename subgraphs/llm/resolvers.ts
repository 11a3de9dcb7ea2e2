import { AppError, invalidInput } from '#platform/errors.ts';
import { roleIn } from '#platform/caller.ts';
import type { ResolverContext } from '#platform/subgraph-server.ts';
import { complete, completion } from './complete.ts';
import { toFinishReason, toTokenUsage } from './completion-events.ts';
import type { CompletionAnswer } from './completion-answer.ts';
import type { SharedCompletion } from './completion-share.ts';
import { createEmbeddingCache, embed, type EmbedAnswer } from './embed.ts';
import { Idempotency } from './idempotency.ts';
import type { SharedAnswer } from './idempotency-share.ts';
import type { Asker, LlmDependencies } from './llm-dependencies.ts';
import { toModel, toModelConnection } from './models.ts';
import { readRequests } from './requests.ts';
import { toAttempt, toRequestConnection, type RequestParent } from './requests-result.ts';
import type { Completion, LlmUsageFilter, Resolvers } from './resolver-types.ts';
import { dateTimeScalar, jsonScalar, messageContentScalar, toolChoiceScalar, vectorScalar } from './scalars.ts';
import { parsePeriod } from './usage-period.ts';
import { openUsage, type UsageParent } from './usage-result.ts';
import type { UsageFilter } from './usage-statement.ts';

const periodDefault = '30d';

/** Takes arguments, calls one use case, and gives its result in the schema's words. */
export function createResolvers(dependencies: LlmDependencies): Readonly<Record<string, unknown>> {
  const { database, catalogue, prices } = dependencies;
  const llm = {
    ...dependencies,
    completions: new Idempotency<SharedCompletion>(database),
    embeddings: new Idempotency<SharedAnswer<EmbedAnswer>>(database),
    embeddingCache: createEmbeddingCache(),
  };

  const resolvers: Resolvers = {
    JSON: jsonScalar,
    DateTime: dateTimeScalar,
    Vector: vectorScalar,
    MessageContent: messageContentScalar,
    ToolChoice: toolChoiceScalar,

    Query: {
      models: async (_, { provider, first, after }) =>
        toModelConnection(await catalogue.list(), { provider, first: first ?? 100, after }),
      model: async (_, { id }) => {
        const model = await catalogue.find(id);
        return model === undefined ? null : toModel(model);
      },
      llmUsage: (_, { filter, period, groupBy }, context) =>
        openUsage(
          database,
          context.scope.microdaoId,
          toFilter(filter, context),
          parsePeriod(period ?? periodDefault),
          groupBy ?? undefined,
        ),
      llmRequests: async (_, { filter, period, first, after }, context) => {
        const { microdaoId } = context.scope;
        const page = await readRequests(
          database,
          microdaoId,
          toFilter(filter, context),
          parsePeriod(period ?? periodDefault),
          { first: first ?? 50, after },
        );
        return toRequestConnection(page, after != null);
      },
    },

    Mutation: {
      complete: async (_, { input }, context) => toCompletion(await complete(llm, askerOf(context), input)),
      embed: async (_, { input }, context) => {
        const { vectors, usage, ...answer } = await embed(llm, askerOf(context), input);
        return { ...answer, embeddings: vectors, usage: toTokenUsage(usage) };
      },
      setModelPrice: async (_, { input }, context) => {
        const found = (await catalogue.find(input.model)) ?? (await catalogue.resolve(input.model));
        await prices.set(found.provider, found.name, input, context.caller.subject);
        const priced = await catalogue.find(input.model);
        if (priced === undefined) throw new AppError('MODEL_NOT_FOUND', `There is no model ${found.id} any more.`);
        return toModel(priced);
      },
    },

    Subscription: {
      completion: {
        subscribe: async (_, { input }, context) => (await completion(llm, askerOf(context), input)) as never,
        resolve: (event: unknown) => event as never,
      },
    },

    LlmUsage: {
      groups: (parent, { by }) => (parent as UsageParent).readGroups(by ?? undefined),
    },
    LlmRequest: {
      attempts: async (parent) => (await (parent as RequestParent).readAttempts()).map(toAttempt),
    },

    Agent: {
      __resolveReference: ({ microdaoId, id }) => ({ microdaoId, id }) as never,
      llmUsage: ({ id }, { period, groupBy }, context) =>
        openUsage(
          database,
          context.scope.microdaoId,
          { agentId: id },
          parsePeriod(period ?? periodDefault),
          groupBy ?? undefined,
        ),
    },
    MicroDAO: {
      __resolveReference: ({ id }) => ({ id }) as never,
      llmUsage: (_, { period, groupBy }, context) =>
        openUsage(database, context.scope.microdaoId, {}, parsePeriod(period ?? periodDefault), groupBy ?? undefined),
    },
  };
  return resolvers as Readonly<Record<string, unknown>>;
}

const askerOf = ({ caller, scope, requestId, signal }: ResolverContext): Asker => ({
  caller,
  microdaoId: scope.microdaoId,
  agentId: scope.agentId,
  requestId,
  signal,
});

/** An agent sees its own use alone, also when it asks for all. */
function toFilter(filter: LlmUsageFilter | null | undefined, { caller, scope }: ResolverContext): UsageFilter {
  const isAgent = !caller.admin && roleIn(caller, scope.microdaoId) === 'agent';
  for (const [field, value] of Object.entries({ provider: filter?.provider, model: filter?.model })) {
    if (value?.includes('\0') === true)
      throw invalidInput([{ path: `filter.${field}`, reason: 'must not contain the NUL character' }]);
  }
  return {
    agentId: filter?.agentId ?? (isAgent ? caller.agentId : undefined),
    provider: filter?.provider ?? undefined,
    model: filter?.model ?? undefined,
    kind: filter?.kind ?? undefined,
    status: filter?.status ?? undefined,
  };
}

function toCompletion(answer: CompletionAnswer): Completion {
  const {
    id,
    requestId,
    model,
    provider,
    content,
    reasoning,
    refusal,
    toolCalls,
    finishReason,
    usage,
    createdAt,
    providerState,
  } = answer;
  return {
    id,
    requestId,
    model,
    provider,
    message: {
      role: 'ASSISTANT',
      content,
      reasoning,
      refusal,
      toolCalls:
        toolCalls.length === 0
          ? null
          : toolCalls.map((call) => ({
              id: call.id,
              type: 'FUNCTION',
              function: { name: call.name, arguments: call.arguments },
            })),
      providerState: providerState ?? null,
    },
    finishReason: toFinishReason(finishReason),
    usage: toTokenUsage(usage),
    createdAt,
  };
}
