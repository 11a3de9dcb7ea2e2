import { type MockAnswer, piecesOf, type RecordedRequest, usageOf } from './answers.ts';

/** OpenAI's chat completions, embeddings and models, as DeepSeek, Ollama, vLLM and llama.cpp speak them too. */

const created = 1_760_000_000;

function usageBody(answer: MockAnswer, bodyBytes: number): object {
  const usage = usageOf(answer, bodyBytes);
  const cached = usage.cachedInputTokens ?? 0;
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    prompt_tokens_details: { cached_tokens: cached },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens ?? 0 },
    // DeepSeek's own spelling of the cached part.
    prompt_cache_hit_tokens: cached,
    prompt_cache_miss_tokens: usage.inputTokens - cached,
  };
}

const finishReasonOf = (answer: MockAnswer): string =>
  answer.finishReason ?? ((answer.toolCalls?.length ?? 0) > 0 ? 'tool_calls' : 'stop');

export function openaiCompletion(request: RecordedRequest, answer: MockAnswer, bodyBytes: number): object {
  return {
    id: 'chatcmpl-mock',
    object: 'chat.completion',
    created,
    model: request.model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: answer.text ?? null,
          refusal: answer.refusal ?? null,
          ...(answer.reasoning === undefined ? {} : { reasoning_content: answer.reasoning }),
          ...(answer.toolCalls === undefined
            ? {}
            : {
                tool_calls: answer.toolCalls.map((call, index) => ({
                  id: call.id ?? `call_mock_${index + 1}`,
                  type: 'function',
                  function: { name: call.name, arguments: call.arguments },
                })),
              }),
        },
        logprobs: null,
        finish_reason: finishReasonOf(answer),
      },
    ],
    ...(answer.usage === null ? {} : { usage: usageBody(answer, bodyBytes) }),
  };
}

/** The events of a stream, one string each, ready for the wire; the last two are finish reason and `[DONE]`. */
export function openaiEvents(request: RecordedRequest, answer: MockAnswer, bodyBytes: number): string[] {
  const head = `data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":${created},"model":${JSON.stringify(request.model)},"choices":`;
  const chunk = (delta: object, finishReason: string | null = null): string =>
    `${head}[{"index":0,"delta":${JSON.stringify(delta)},"finish_reason":${JSON.stringify(finishReason)}}]}\n\n`;
  const events = [chunk({ role: 'assistant', content: '' })];
  for (const piece of answer.reasoning?.match(/\S+\s*/g) ?? []) events.push(chunk({ reasoning_content: piece }));
  for (const piece of answer.refusal?.match(/\S+\s*/g) ?? []) events.push(chunk({ refusal: piece }));
  for (const piece of piecesOf(answer)) events.push(chunk({ content: piece }));
  for (const [index, call] of (answer.toolCalls ?? []).entries()) {
    const half = Math.ceil(call.arguments.length / 2);
    const id = call.id ?? `call_mock_${index + 1}`;
    events.push(chunk({ tool_calls: [{ index, id, type: 'function', function: { name: call.name, arguments: '' } }] }));
    events.push(chunk({ tool_calls: [{ index, function: { arguments: call.arguments.slice(0, half) } }] }));
    events.push(chunk({ tool_calls: [{ index, function: { arguments: call.arguments.slice(half) } }] }));
  }
  const options = request.body['stream_options'] as { include_usage?: boolean } | undefined;
  const usage = answer.usage !== null && options?.include_usage === true;
  const end = usage ? `${head}[],"usage":${JSON.stringify(usageBody(answer, bodyBytes))}}\n\n` : '';
  events.push(chunk({}, finishReasonOf(answer)) + end, 'data: [DONE]\n\n');
  return events;
}

export const openaiStreamError = (): string =>
  'data: {"error":{"message":"The server had an error while processing your request.","type":"server_error","code":null}}\n\n';

const messages: Readonly<Record<number, [message: string, type: string, code: string | null]>> = {
  400: ['Unrecognized request argument supplied: wrong', 'invalid_request_error', null],
  401: [
    'Incorrect API key provided: sk-secret-0123456789abcdefghij. Find yours in the dashboard.',
    'invalid_request_error',
    'invalid_api_key',
  ],
  403: ['Your project has no access to this.', 'invalid_request_error', 'permission_denied'],
  404: ['The model does not exist or you do not have access to it.', 'invalid_request_error', 'model_not_found'],
  429: ['Rate limit reached for requests per min.', 'requests', 'rate_limit_exceeded'],
};

export function openaiError(status: number, answer: MockAnswer, model: string): object {
  const [message, type, code] = messages[status] ?? [`The server answered ${status}.`, 'server_error', null];
  if (answer.error?.code === 'context_length_exceeded' && answer.error.message === '') {
    return {
      error: {
        message: `This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.`,
        type: 'invalid_request_error',
        param: 'messages',
        code: 'context_length_exceeded',
      },
    };
  }
  return {
    error: {
      message: answer.error?.message ?? (status === 404 ? `The model \`${model}\` does not exist.` : message),
      type: answer.error?.type ?? type,
      param: null,
      code: answer.error?.code ?? code,
    },
  };
}

/** A unit vector that depends on the text alone. */
export function mockEmbedding(text: string, dimensions: number): Float32Array {
  let state = 2_166_136_261;
  for (let index = 0; index < text.length; index += 1)
    state = Math.imul(state ^ text.charCodeAt(index), 16_777_619) >>> 0;
  const vector = new Float32Array(dimensions);
  let squares = 0;
  for (let index = 0; index < dimensions; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const value = state / 2 ** 31 - 1;
    vector[index] = value;
    squares += value * value;
  }
  const length = Math.sqrt(squares) || 1;
  return vector.map((value) => value / length);
}

export function openaiEmbeddings(request: RecordedRequest): object {
  const input = request.body['input'];
  const texts = Array.isArray(input) ? (input as string[]) : [String(input)];
  const dimensions = typeof request.body['dimensions'] === 'number' ? request.body['dimensions'] : 1536;
  const base64 = request.body['encoding_format'] === 'base64';
  const tokens = texts.reduce((sum, text) => sum + Math.ceil(text.length / 4), 0);
  return {
    object: 'list',
    data: texts.map((text, index) => {
      const vector = mockEmbedding(text, dimensions);
      return {
        object: 'embedding',
        index,
        embedding: base64 ? Buffer.from(vector.buffer).toString('base64') : [...vector],
      };
    }),
    model: request.model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

export const openaiModels = (names: readonly string[]): object => ({
  object: 'list',
  data: names.map((id) => ({ id, object: 'model', created, owned_by: 'mock' })),
});
