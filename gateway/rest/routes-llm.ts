import { AppError, type ErrorCode } from '#platform/errors.ts';
import { restEvents } from './rest-events.ts';
import type { RestGroup } from './route.ts';

const usageFields = 'usage { inputTokens outputTokens cachedInputTokens reasoningTokens costUsd estimated }';

const modelFields = `
  id provider name aliases contextWindow maxOutputTokens dimensions capabilities
  price { inputUsd outputUsd cachedInputUsd version }
  available reason`;

const figureFields = `
  requests inputTokens outputTokens cachedInputTokens reasoningTokens costUsd unpricedRequests
  errors errorRate latencyMsP50 latencyMsP95`;

/** Who acts and for whom, where the body or query does not say; and the key that makes a second try safe. */
export const completionHeaders = {
  'x-microdao-id': 'input.microdaoId',
  'x-agent-id': 'input.agentId',
  'idempotency-key': 'input.idempotencyKey',
};

/** What goes wrong at a provider, of any kind of request. */
const providerErrorCodes = [
  'BUDGET_EXCEEDED',
  'MODEL_NOT_FOUND',
  'IDEMPOTENCY_CONFLICT',
  'UNSUPPORTED_BY_MODEL',
  'PROVIDER_REJECTED',
  'PROVIDER_AUTHENTICATION_FAILED',
  'PROVIDER_BAD_RESPONSE',
  'PROVIDER_UNAVAILABLE',
  'PROVIDER_RATE_LIMITED',
  'PROVIDER_NOT_CONFIGURED',
  'PROVIDER_TIMEOUT',
] as const satisfies ErrorCode[];

export const embeddingErrorCodes: readonly ErrorCode[] = providerErrorCodes;
export const completionErrorCodes: readonly ErrorCode[] = [
  ...providerErrorCodes,
  'CONTEXT_LENGTH_EXCEEDED',
  'CONTENT_FILTERED',
  'STREAM_INTERRUPTED',
];

const usageQuery = {
  microdao_id: 'microdaoId',
  agent_id: 'filter.agentId',
  provider: 'filter.provider',
  model: 'filter.model',
  kind: 'filter.kind',
  status: 'filter.status',
  period: 'period',
};

export const llmRoutes: RestGroup = {
  prefix: '/internal/llm',
  tag: 'Language models',
  description: 'Completions, embeddings, models and what they cost.',
  errors: 'rest',
  routes: [
    {
      method: 'POST',
      path: '/proxy',
      name: 'RestComplete',
      summary: 'Answer a conversation, whole or as a stream',
      description:
        'With `stream: true` the answer comes as server-sent events. What is wrong before the first event is an ordinary error answer; what goes wrong later is an event of type `failed`. The last line is `data: [DONE]`.',
      request: {
        body: {
          variable: 'input',
          steering: { stream: 'Boolean' },
          example: { model: 'demo', messages: [{ role: 'user', content: 'Hello!' }], stream: false },
        },
        headers: completionHeaders,
      },
      operation: `mutation RestComplete($input: CompleteInput!) {
        complete(input: $input) {
          id model provider
          message { role content toolCalls { id type function { name arguments } } reasoning refusal providerState }
          finishReason ${usageFields} requestId createdAt
        }
      }`,
      response: {
        leftOutWhenNull: ['message.tool_calls', 'message.reasoning', 'message.refusal', 'message.provider_state'],
      },
      stream: {
        operation: `subscription RestCompletion($input: CompleteInput!) {
          completion(input: $input) {
            type
            ... on CompletionStarted { id model provider requestId createdAt }
            ... on CompletionText { text }
            ... on CompletionReasoning { text }
            ... on CompletionRefusal { text }
            ... on CompletionToolCall { index id name arguments }
            ... on CompletionFinished { finishReason ${usageFields} providerState }
            ... on CompletionFailed { error { code message retryable retryAfterMs requestId } ${usageFields} }
          }
        }`,
        format: restEvents,
        leftOutWhenNull: ['provider_state', 'error.retry_after_ms', 'usage'],
      },
      errorCodes: completionErrorCodes,
    },
    {
      method: 'POST',
      path: '/embed',
      name: 'RestEmbed',
      summary: 'Turn texts into vectors',
      request: { body: { variable: 'input', example: { input: ['Hello!'] } }, headers: completionHeaders },
      operation: `mutation RestEmbed($input: EmbedInput!) {
        embed(input: $input) { id model provider dimensions embeddings ${usageFields} requestId }
      }`,
      response: {},
      errorCodes: embeddingErrorCodes,
    },
    {
      method: 'GET',
      path: '/models',
      name: 'RestModels',
      summary: 'The models this server can answer with',
      description: 'All of them, unless `first` or `after` ask for a page.',
      request: { query: { provider: 'provider', first: 'first', after: 'after' } },
      operation: `query RestModels($provider: String, $first: Int, $after: String) {
        models(provider: $provider, first: $first, after: $after) {
          nodes { ${modelFields} }
          pageInfo { hasNextPage endCursor }
        }
      }`,
      response: { list: 'models', wholeList: true },
    },
    {
      method: 'GET',
      path: '/models/{id+}',
      name: 'RestModel',
      summary: 'One model by id, alias, or provider/model',
      request: { path: { 'id+': 'id' } },
      operation: `query RestModel($id: ID!) { model(id: $id) { ${modelFields} } }`,
      response: { whenNull: modelNotFound },
      errorCodes: ['MODEL_NOT_FOUND'],
    },
    {
      method: 'PUT',
      path: '/models/price',
      name: 'RestSetModelPrice',
      summary: 'Set the price of a model from now on',
      description: 'For administrators. Prices are US dollars per million tokens, as exact decimals: `"2.50"`.',
      request: {
        body: { variable: 'input', example: { model: 'local/llama3.2', input_usd: '0.10', output_usd: '0.40' } },
      },
      operation: `mutation RestSetModelPrice($input: SetModelPriceInput!) { setModelPrice(input: $input) { ${modelFields} } }`,
      response: {},
      errorCodes: ['MODEL_NOT_FOUND'],
    },
    {
      method: 'GET',
      path: '/usage',
      name: 'RestUsage',
      summary: 'What was used and what it cost',
      description: '`period` is a length back from now (`30d`, `24h`, `90m`, `4w`) or `from/to` in RFC 3339.',
      request: { query: { ...usageQuery, group_by: 'groupBy' }, headers: { 'x-microdao-id': 'microdaoId' } },
      operation: `query RestUsage($microdaoId: ID, $filter: LlmUsageFilter, $period: String, $groupBy: LlmUsageGroupBy) {
        llmUsage(microdaoId: $microdaoId, filter: $filter, period: $period, groupBy: $groupBy) {
          microdaoId agentId period from to
          totals { ${figureFields} }
          groups { key ${figureFields} }
        }
      }`,
      response: { leftOutWhenNull: ['agent_id'] },
    },
    {
      method: 'GET',
      path: '/requests',
      name: 'RestRequests',
      summary: 'Requests one by one, newest first',
      description: 'At most 100 a page (`first`); `next_cursor` of one page is `after` of the next.',
      request: {
        query: { ...usageQuery, first: 'first', after: 'after' },
        headers: { 'x-microdao-id': 'microdaoId' },
      },
      operation: `query RestRequests($microdaoId: ID, $filter: LlmUsageFilter, $period: String, $first: Int, $after: String) {
        llmRequests(microdaoId: $microdaoId, filter: $filter, period: $period, first: $first, after: $after) {
          nodes {
            id requestId kind microdao { id } agent { id } subject actor requestedModel provider model status errorCode
            ${usageFields} priceVersion createdAt finishedAt latencyMs timeToFirstTokenMs
            attempts { number provider model status errorCode ${usageFields} priceVersion startedAt latencyMs timeToFirstTokenMs }
          }
          pageInfo { hasNextPage endCursor }
        }
      }`,
      response: { list: 'requests' },
    },
  ],
};

export function modelNotFound(request: { readonly params: unknown }): AppError {
  const id = (request.params as Record<string, string>)['*'] ?? '';
  return new AppError('MODEL_NOT_FOUND', `There is no model ${JSON.stringify(id.slice(0, 128))}.`);
}
