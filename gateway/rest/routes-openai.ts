import { toChatCompletion, type GraphqlCompletion } from './openai-answer.ts';
import { toEmbeddingList, translateEmbeddingRequest, type GraphqlEmbeddings } from './openai-embeddings.ts';
import { toAskedModel, toOpenAiModelList } from './openai-models.ts';
import { translateChatRequest } from './openai-request.ts';
import {
  chatChunkSchema,
  chatCompletionSchema,
  chatRequestSchema,
  embeddingListSchema,
  embeddingRequestSchema,
  openAiModelListSchema,
  openAiModelSchema,
} from './openai-schemas.ts';
import { openAiChunks } from './openai-stream.ts';
import type { RestGroup } from './route.ts';
import { completionErrorCodes, completionHeaders, embeddingErrorCodes, modelNotFound } from './routes-llm.ts';

const usageFields = 'usage { inputTokens outputTokens cachedInputTokens reasoningTokens costUsd estimated }';

/** OpenAI's wire format: official clients, and whatever is built on them, work by changing their base URL. */
export const openAiRoutes: RestGroup = {
  prefix: '/v1',
  tag: 'OpenAI-compatible',
  description:
    "The same models in OpenAI's wire format. Agent and microDAO come from the token, or from the headers `x-agent-id` and `x-microdao-id`.",
  errors: 'openai',
  routes: [
    {
      method: 'POST',
      path: '/chat/completions',
      name: 'OpenAiChatCompletion',
      summary: 'Chat completion, whole or as a stream of chunks',
      description:
        'Parameters that this server has no name for go to the provider as they are. A failure in the middle of a stream is a line `data: {"error": …}` without `[DONE]` after it.',
      request: {
        body: {
          variable: 'input',
          steering: { stream: 'Boolean' },
          translate: translateChatRequest,
          schema: chatRequestSchema,
          example: { model: 'demo', messages: [{ role: 'user', content: 'Hello!' }] },
        },
        headers: completionHeaders,
      },
      operation: `mutation OpenAiChatCompletion($input: CompleteInput!) {
        complete(input: $input) {
          id requestId model provider
          message { content reasoning refusal toolCalls { id function { name arguments } } providerState }
          finishReason ${usageFields} createdAt
        }
      }`,
      response: {
        render: (completion: GraphqlCompletion) => toChatCompletion(completion),
        schema: chatCompletionSchema,
      },
      stream: {
        operation: `subscription OpenAiChatCompletionStream($input: CompleteInput!) {
          completion(input: $input) {
            type
            ... on CompletionStarted { id model provider requestId createdAt }
            ... on CompletionText { text }
            ... on CompletionReasoning { text }
            ... on CompletionRefusal { text }
            ... on CompletionToolCall { index id name arguments }
            ... on CompletionFinished { finishReason ${usageFields} providerState }
            ... on CompletionFailed { error { code message retryable retryAfterMs requestId } }
          }
        }`,
        format: openAiChunks(chatChunkSchema),
      },
      errorCodes: completionErrorCodes,
    },
    {
      method: 'POST',
      path: '/embeddings',
      name: 'OpenAiEmbeddings',
      summary: 'Embeddings of one text or several',
      request: {
        body: {
          variable: 'input',
          translate: translateEmbeddingRequest,
          schema: embeddingRequestSchema,
          example: { input: 'Hello!' },
        },
        headers: completionHeaders,
      },
      operation: `mutation OpenAiEmbeddings($input: EmbedInput!) {
        embed(input: $input) { model provider requestId embeddings usage { inputTokens costUsd estimated } }
      }`,
      response: {
        render: (result: GraphqlEmbeddings, body: unknown) => toEmbeddingList(result, body),
        schema: embeddingListSchema,
      },
      errorCodes: embeddingErrorCodes,
    },
    {
      method: 'GET',
      path: '/models',
      name: 'OpenAiModels',
      summary: 'The models this server can answer with now',
      request: {},
      operation: `query OpenAiModels($first: Int, $after: String) {
        models(first: $first, after: $after) { nodes { id provider available } pageInfo { hasNextPage endCursor } }
      }`,
      response: { wholeList: true, render: toOpenAiModelList, schema: openAiModelListSchema },
    },
    {
      method: 'GET',
      path: '/models/{id+}',
      name: 'OpenAiModel',
      summary: 'One model by id, alias, or provider/model',
      request: { path: { 'id+': 'id' } },
      operation: 'query OpenAiModel($id: ID!) { model(id: $id) { id provider } }',
      response: { render: toAskedModel, whenNull: modelNotFound, schema: openAiModelSchema },
      errorCodes: ['MODEL_NOT_FOUND'],
    },
  ],
};
