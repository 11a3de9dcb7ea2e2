import OpenAI, {
  APIConnectionError,
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
  UnprocessableEntityError,
} from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { llmTestResolvers } from './llm-test-resolvers.ts';
import { startRestServer, type RestTestServer } from './rest-test-server.ts';

const llm = llmTestResolvers();
let rest: RestTestServer;
let client: OpenAI;
beforeAll(async () => {
  rest = await startRestServer(llm.resolvers);
  client = new OpenAI({ baseURL: `${rest.url}/v1`, apiKey: 'good', maxRetries: 0 });
});
afterAll(() => rest.close());
beforeEach(() => {
  llm.asked.length = 0;
});

const messages = [{ role: 'user', content: 'Hello' }] as const;
const tools = [
  {
    type: 'function',
    function: { name: 'get_weather', parameters: { type: 'object', properties: { cityName: { type: 'string' } } } },
  },
] as const;
const ask = (model: string, more: object = {}) =>
  client.chat.completions.create({ model, messages: [...messages], ...more });

/** Whatever the request rejects with. */
const rejection = (request: PromiseLike<unknown>): Promise<APIError> =>
  Promise.resolve(request).then(
    () => expect.fail('nothing was refused'),
    (error: unknown) => error as APIError,
  );

describe('the official client, told nothing but a base URL', () => {
  test('completes', async () => {
    const { data: completion, response } = await ask('plain').withResponse();
    expect(completion).toEqual({
      id: 'cmpl_1',
      object: 'chat.completion',
      created: 1795341600,
      model: 'gpt-4o',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: {
        prompt_tokens: 7,
        completion_tokens: 5,
        total_tokens: 12,
        prompt_tokens_details: { cached_tokens: 2 },
        completion_tokens_details: { reasoning_tokens: 1 },
      },
      x_supergraph: {
        provider: 'openai',
        request_id: response.headers.get('x-request-id'),
        cost_usd: 0.000123,
        usage_estimated: false,
      },
    });
  });

  test('calls tools, and sends the answer’s message back with their results', async () => {
    const completion = await ask('tools', { tools });
    const message = completion.choices[0]?.message;
    expect(completion.choices[0]?.finish_reason).toBe('tool_calls');
    expect(message?.tool_calls).toEqual([
      { id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"cityName":"Kyiv"}' } },
    ]);

    await client.chat.completions.create({
      model: 'echo',
      messages: [...messages, message as never, { role: 'tool', tool_call_id: 'call_1', content: '12°' }],
    });
    expect(llm.asked[1]?.input['messages']).toEqual([
      { role: 'USER', content: 'Hello' },
      {
        role: 'ASSISTANT',
        toolCalls: [
          { id: 'call_1', type: 'FUNCTION', function: { name: 'get_weather', arguments: '{"cityName":"Kyiv"}' } },
        ],
        providerState: { someKey: ['Kept_as_is'] },
      },
      { role: 'TOOL', toolCallId: 'call_1', content: '12°' },
    ]);
  });

  test('streams, the usage last when it asks for it', async () => {
    const stream = await ask('echo', { stream: true, stream_options: { include_usage: true } });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of stream as unknown as AsyncIterable<OpenAI.ChatCompletionChunk>) chunks.push(chunk);
    expect(chunks.map(({ choices }) => choices[0]?.delta)).toEqual([
      { role: 'assistant', content: '' },
      { reasoning_content: 'hmm' },
      { content: 'Hel' },
      { content: 'lo \u{1f600} data: x\n\n' },
      {},
      undefined,
    ]);
    expect(chunks.map(({ choices }) => choices[0]?.finish_reason)).toEqual([null, null, null, null, 'stop', undefined]);
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 },
    });
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
    expect(new Set(chunks.map(({ id, object, created, model }) => [id, object, created, model].join()))).toEqual(
      new Set(['cmpl_1,chat.completion.chunk,1795341600,gpt-4o']),
    );
  });

  test('streams without usage chunks when it does not ask', async () => {
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of (await ask('echo', {
      stream: true,
    })) as unknown as AsyncIterable<OpenAI.ChatCompletionChunk>)
      chunks.push(chunk);
    expect(chunks.every((chunk) => chunk.choices.length === 1 && !('usage' in chunk))).toBe(true);
  });

  test('puts streamed tool calls together', async () => {
    const completion = await client.chat.completions
      .stream({ model: 'tools', messages: [...messages], tools: [...tools] as never })
      .finalChatCompletion();
    expect(completion.choices[0]?.message.tool_calls).toMatchObject([
      { id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"cityName":"Kyiv"}' } },
      { id: 'call_2', type: 'function', function: { name: 'get_time', arguments: '{}' } },
    ]);
    expect(completion.choices[0]?.finish_reason).toBe('tool_calls');
    expect(completion.choices[0]?.message).toMatchObject({
      content: 'Hello \u{1f600} data: x\n\n',
      provider_state: { someKey: ['Kept_as_is'] },
    });
  });

  test('embeds, with the base64 it asks for unasked', async () => {
    const { data, usage, model } = await client.embeddings.create({ model: 'any', input: ['one', 'two'] });
    expect(data).toEqual([
      { object: 'embedding', index: 0, embedding: [0.5, -0.25, 0] },
      { object: 'embedding', index: 1, embedding: [0.5, -0.25, 1] },
    ]);
    expect([usage, model]).toEqual([{ prompt_tokens: 7, total_tokens: 7 }, 'text-embedding-3-small']);
    expect(
      (await client.embeddings.create({ model: 'any', input: 'one', encoding_format: 'float', dimensions: 3 })).data[0]
        ?.embedding,
    ).toEqual([0.5, -0.25, 0]);
    expect(llm.asked[1]?.input).toEqual({ model: 'any', input: ['one'], dimensions: 3 });
  });

  test('lists the models that can be used now, and finds one by an id with a slash', async () => {
    const { data } = await client.models.list();
    expect(data).toHaveLength(249);
    expect(data[0]).toEqual({ id: 'openai/model-1', object: 'model', created: 0, owned_by: 'openai' });
    expect(await client.models.retrieve('openai/model-7')).toMatchObject({ id: 'openai/model-7', owned_by: 'openai' });
    expect(await client.models.retrieve('model-7')).toMatchObject({ id: 'model-7', owned_by: 'openai' });
  });

  test('says for whom it asks in headers', async () => {
    const headers = { 'x-agent-id': 'agent:sofia', 'x-microdao-id': 'microdao:daarion', 'Idempotency-Key': 'key-1' };
    await client.chat.completions.create({ model: 'echo', messages: [...messages] }, { headers });
    expect(llm.asked[0]?.input).toMatchObject({
      agentId: 'agent:sofia',
      microdaoId: 'microdao:daarion',
      idempotencyKey: 'key-1',
    });
  });

  test('aborts, and the source of the stream is closed', async () => {
    const stream = (await ask('quiet', { stream: true })) as unknown as AsyncIterable<OpenAI.ChatCompletionChunk> & {
      controller: AbortController;
    };
    expect(llm.open.count).toBe(1);
    for await (const chunk of stream) {
      expect(chunk.choices[0]?.delta.role).toBe('assistant');
      stream.controller.abort();
    }
    await expect.poll(() => llm.open.count, { interval: 5, timeout: 1_000 }).toBe(0);
    const early = new AbortController();
    const request = client.chat.completions.create(
      { model: 'quiet', messages: [...messages], stream: true },
      { signal: early.signal },
    );
    await expect.poll(() => llm.open.count, { interval: 5 }).toBe(1);
    early.abort();
    expect(await rejection(request)).toBeInstanceOf(APIUserAbortError);
    await expect.poll(() => llm.open.count, { interval: 5, timeout: 1_000 }).toBe(0);
  });
});

describe('the official client raises its own errors', () => {
  test.each([
    ['refuse:RATE_LIMITED', RateLimitError, 429, 'rate_limit_exceeded', 'rate_limit_error'],
    ['refuse:MODEL_NOT_FOUND', NotFoundError, 404, 'model_not_found', 'invalid_request_error'],
    [
      'refuse:CONTEXT_LENGTH_EXCEEDED',
      UnprocessableEntityError,
      422,
      'context_length_exceeded',
      'invalid_request_error',
    ],
    ['refuse:IDEMPOTENCY_CONFLICT', ConflictError, 409, 'idempotency_conflict', 'invalid_request_error'],
    ['refuse:PROVIDER_UNAVAILABLE', InternalServerError, 503, 'provider_unavailable', 'server_error'],
    ['refuse:BUDGET_EXCEEDED', APIError, 402, 'insufficient_quota', 'insufficient_quota'],
    ['defect', InternalServerError, 500, 'internal_error', 'server_error'],
  ])('%s', async (model, type, status, code, errorType) => {
    for (const stream of [false, true]) {
      const error = await rejection(ask(model, { stream }));
      expect(error).toBeInstanceOf(type);
      expect(error).toMatchObject({ status, code, type: errorType, requestID: expect.any(String) as string });
      expect(error.message).not.toMatch(/secret/);
    }
  });

  test('for a token that is refused', async () => {
    const stranger = new OpenAI({ baseURL: `${rest.url}/v1`, apiKey: 'bad', maxRetries: 0 });
    const error = await rejection(stranger.models.list());
    expect(error).toBeInstanceOf(AuthenticationError);
    expect(error).toMatchObject({ status: 401, code: 'invalid_api_key', type: 'authentication_error' });
  });

  test('for a failure in the middle of a stream, after what was delivered', async () => {
    for (const model of ['breaks', 'cut', 'throws']) {
      const texts: string[] = [];
      const reading = (async () => {
        for await (const chunk of (await ask(model, {
          stream: true,
        })) as unknown as AsyncIterable<OpenAI.ChatCompletionChunk>) {
          texts.push(chunk.choices[0]?.delta.content ?? '');
        }
      })();
      const error = await rejection(reading);
      expect(error).toBeInstanceOf(APIError);
      expect(error.code).toBe(
        { breaks: 'provider_unavailable', cut: 'stream_interrupted', throws: 'subgraph_unavailable' }[model],
      );
      expect(texts.join('')).toBe('Hello \u{1f600} data: x\n\n');
    }
  });

  test('and tries again only what may succeed', async () => {
    const patient = new OpenAI({ baseURL: `${rest.url}/v1`, apiKey: 'good', maxRetries: 1 });
    await rejection(patient.chat.completions.create({ model: 'refuse:IDEMPOTENCY_CONFLICT', messages: [...messages] }));
    expect(llm.asked).toHaveLength(1);
    await rejection(patient.chat.completions.create({ model: 'refuse:PROVIDER_UNAVAILABLE', messages: [...messages] }));
    expect(llm.asked).toHaveLength(3);
  });

  test('also for malformed JSON and a server that is not there', async () => {
    const response = await fetch(`${rest.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer good', 'content-type': 'application/json' },
      body: '{',
    });
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as { error: object };
    expect(APIError.generate(400, { error }, undefined, response.headers)).toBeInstanceOf(BadRequestError);
    const nobody = new OpenAI({ baseURL: 'http://127.0.0.1:9/v1', apiKey: 'good', maxRetries: 0 });
    expect(await rejection(nobody.models.list())).toBeInstanceOf(APIConnectionError);
  });
});
