import type { JsonSchema } from './route.ts';

/** JSON Schemas of OpenAI's wire format, as far as this server speaks it. */

const object = (
  properties: Readonly<Record<string, unknown>>,
  required: readonly string[] = Object.keys(properties),
): JsonSchema => ({
  type: 'object',
  properties,
  required,
});

const text = { type: 'string' };
const integer = { type: 'integer' };
const nullableText = { type: ['string', 'null'] };

const toolCalls = {
  type: 'array',
  items: object({ id: text, type: { const: 'function' }, function: object({ name: text, arguments: text }) }),
};

const tenancy = {
  microdao_id: {
    type: 'string',
    description: 'Beside the header `x-microdao-id`; may be left out by a caller with one membership.',
  },
  agent_id: { type: 'string', description: 'Beside the header `x-agent-id`: the agent that is billed.' },
};

export const chatRequestSchema: JsonSchema = {
  ...object(
    {
      model: { type: 'string', description: "A model's id, alias, or `provider/model`." },
      messages: {
        type: 'array',
        items: object(
          {
            role: { enum: ['system', 'developer', 'user', 'assistant', 'tool'] },
            content: { description: 'Text, or a list of `text` and `image_url` parts.' },
            name: text,
            tool_calls: toolCalls,
            tool_call_id: text,
            provider_state: { description: "As an earlier answer's message gave it." },
          },
          ['role'],
        ),
      },
      stream: { type: 'boolean' },
      stream_options: object({ include_usage: { type: 'boolean' } }, []),
      max_tokens: integer,
      max_completion_tokens: integer,
      temperature: { type: 'number' },
      top_p: { type: 'number' },
      seed: integer,
      stop: { oneOf: [text, { type: 'array', items: text }] },
      n: { const: 1 },
      tools: { type: 'array', items: { type: 'object' } },
      tool_choice: { description: '`auto`, `none`, `required`, or `{type: "function", function: {name}}`.' },
      parallel_tool_calls: { type: 'boolean' },
      response_format: { type: 'object' },
      reasoning_effort: { enum: ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'] },
      user: text,
      ...tenancy,
    },
    ['model', 'messages'],
  ),
  additionalProperties: { description: 'Passed on to the provider as it is.' },
};

const usage = object({
  prompt_tokens: integer,
  completion_tokens: integer,
  total_tokens: integer,
  prompt_tokens_details: object({ cached_tokens: integer }),
  completion_tokens_details: object({ reasoning_tokens: integer }),
});

const extension = {
  ...object({
    provider: text,
    request_id: text,
    cost_usd: { type: ['number', 'null'] },
    usage_estimated: { type: 'boolean' },
  }),
  description: "This server's own addition; OpenAI clients ignore it.",
};

const finishReason = { enum: ['stop', 'length', 'tool_calls', 'content_filter'] };

export const chatCompletionSchema: JsonSchema = object({
  id: text,
  object: { const: 'chat.completion' },
  created: integer,
  model: text,
  choices: {
    type: 'array',
    items: object({
      index: { const: 0 },
      message: object(
        {
          role: { const: 'assistant' },
          content: nullableText,
          refusal: nullableText,
          reasoning_content: text,
          tool_calls: toolCalls,
          provider_state: {},
        },
        ['role', 'content', 'refusal'],
      ),
      logprobs: { type: 'null' },
      finish_reason: finishReason,
    }),
  },
  usage,
  x_supergraph: extension,
});

export const chatChunkSchema: JsonSchema = object(
  {
    id: text,
    object: { const: 'chat.completion.chunk' },
    created: integer,
    model: text,
    choices: {
      type: 'array',
      items: object({
        index: { const: 0 },
        delta: object(
          {
            role: { const: 'assistant' },
            content: text,
            reasoning_content: text,
            refusal: text,
            tool_calls: { type: 'array' },
          },
          [],
        ),
        logprobs: { type: 'null' },
        finish_reason: { oneOf: [finishReason, { type: 'null' }] },
      }),
    },
    usage: {
      oneOf: [usage, { type: 'null' }],
      description: 'With `stream_options.include_usage` only; set in the last chunk, whose `choices` are empty.',
    },
    x_supergraph: extension,
  },
  ['id', 'object', 'created', 'model', 'choices'],
);

export const embeddingRequestSchema: JsonSchema = object(
  {
    model: text,
    input: { oneOf: [text, { type: 'array', items: text }] },
    encoding_format: { enum: ['float', 'base64'], default: 'float' },
    dimensions: integer,
    user: text,
    ...tenancy,
  },
  ['input'],
);

export const embeddingListSchema: JsonSchema = object({
  object: { const: 'list' },
  data: {
    type: 'array',
    items: object({
      object: { const: 'embedding' },
      index: integer,
      embedding: {
        oneOf: [
          { type: 'array', items: { type: 'number' } },
          { type: 'string', description: 'Base64 of little-endian float32.' },
        ],
      },
    }),
  },
  model: text,
  usage: object({ prompt_tokens: integer, total_tokens: integer }),
  x_supergraph: extension,
});

export const openAiModelSchema: JsonSchema = object({
  id: text,
  object: { const: 'model' },
  created: integer,
  owned_by: { type: 'string', description: 'The provider.' },
});

export const openAiModelListSchema: JsonSchema = object({
  object: { const: 'list' },
  data: { type: 'array', items: openAiModelSchema },
});

export const openAiErrorSchema: JsonSchema = object({
  error: object({ message: text, type: text, param: nullableText, code: text, request_id: text }),
});
