import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { llmTestResolvers } from './llm-test-resolvers.ts';
import { startRestServer, type RestTestServer } from './rest-test-server.ts';

const llm = llmTestResolvers();
let rest: RestTestServer;
beforeAll(async () => {
  rest = await startRestServer(llm.resolvers, 2_000_000);
});
afterAll(() => rest.close());
beforeEach(() => {
  llm.asked.length = 0;
});

const headers = { authorization: 'Bearer good', 'content-type': 'application/json' };
const messages = [{ role: 'user', content: 'Hello' }];

async function send(method: string, path: string, body?: unknown, more: Record<string, string> = {}) {
  const text = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(rest.url + path, { method, body: text, headers: { ...headers, ...more } });
  const answer = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: answer.startsWith('{') ? (JSON.parse(answer) as never) : (answer as never),
  };
}
const proxy = (body: unknown, more?: Record<string, string>) => send('POST', '/internal/llm/proxy', body, more);
const errorOf = ({ body }: { body: unknown }) => (body as { error: Record<string, unknown> }).error;

describe('POST /internal/llm/proxy', () => {
  test('answers in the fixed shape, without what is not there', async () => {
    const { status, body } = await proxy(
      { model: 'plain', messages, max_tokens: 9, stop: ['a'] },
      { 'x-request-id': 'req-1' },
    );
    expect(status).toBe(200);
    expect(body).toEqual({
      id: 'cmpl_1',
      model: 'gpt-4o',
      provider: 'openai',
      message: { role: 'assistant', content: 'Hello' },
      finish_reason: 'stop',
      usage: {
        input_tokens: 7,
        output_tokens: 5,
        cached_input_tokens: 2,
        reasoning_tokens: 1,
        cost_usd: 0.000123,
        estimated: false,
      },
      request_id: 'req-1',
      created_at: '2026-11-22T10:00:00.000Z',
    });
    expect(llm.asked[0]?.input).toEqual({
      model: 'plain',
      messages: [{ role: 'USER', content: 'Hello' }],
      maxTokens: 9,
      stop: ['a'],
    });
  });

  test('gives tool calls, and what a provider wants back, as they are', async () => {
    const { body } = await proxy({ model: 'tools', messages });
    expect((body as { message: unknown }).message).toEqual({
      role: 'assistant',
      content: null,
      reasoning: 'hmm',
      tool_calls: [
        { id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"cityName":"Kyiv"}' } },
      ],
      provider_state: { someKey: ['Kept_as_is'] },
    });
  });

  test('takes agent, microDAO and idempotency key from headers too', async () => {
    await proxy(
      { model: 'echo', messages },
      { 'x-agent-id': 'agent:sofia', 'x-microdao-id': 'microdao:daarion', 'idempotency-key': 'k1' },
    );
    expect(llm.asked[0]?.input).toMatchObject({
      agentId: 'agent:sofia',
      microdaoId: 'microdao:daarion',
      idempotencyKey: 'k1',
    });
  });
});

describe('the other routes', () => {
  test('GET /internal/llm/models gives the whole list, or the page that was asked for', async () => {
    const whole = (await send('GET', '/internal/llm/models')).body as {
      models: { id: string }[];
      next_cursor?: string;
    };
    expect(whole.models).toHaveLength(250);
    expect(whole.next_cursor).toBeUndefined();
    expect(whole.models[1]).toMatchObject({
      id: 'openai/model-1',
      capabilities: ['chat', 'parallel_tool_calls'],
      price: { input_usd: 2.5 },
      available: true,
    });
    const page = (await send('GET', '/internal/llm/models?first=2')).body as {
      models: { id: string }[];
      next_cursor?: string;
    };
    expect(page.models.map(({ id }) => id)).toEqual(['openai/model-0', 'openai/model-1']);
    const next = (await send('GET', `/internal/llm/models?first=2&after=${page.next_cursor}`)).body as typeof page;
    expect(next.models[0]?.id).toBe('openai/model-2');
  });

  test.each(['openai/model-3', 'openai%2Fmodel-3', 'model-3'])('GET /internal/llm/models/%s', async (id) => {
    expect((await send('GET', `/internal/llm/models/${id}`)).body).toMatchObject({ id: 'openai/model-3' });
  });

  test('GET /internal/llm/usage', async () => {
    const { status, body } = await send(
      'GET',
      '/internal/llm/usage?agent_id=agent%3Asofia&microdao_id=microdao:daarion&period=7d&group_by=model',
    );
    expect(status).toBe(200);
    expect(llm.asked[0]?.input).toMatchObject({
      filter: { agentId: 'agent:sofia' },
      microdaoId: 'microdao:daarion',
      period: '7d',
      groupBy: 'MODEL',
    });
    expect(body).toMatchObject({
      agent_id: 'agent:sofia',
      microdao_id: 'microdao:daarion',
      period: '7d',
      totals: {
        requests: 3,
        input_tokens: 21,
        output_tokens: 15,
        cached_input_tokens: 6,
        reasoning_tokens: 3,
        cost_usd: 0.5,
        errors: 1,
        latency_ms_p50: 12.5,
        latency_ms_p95: null,
      },
      groups: [{ key: 'openai/gpt-4o', requests: 3, latency_ms_p50: 12.5 }],
    });
    expect((await send('GET', '/internal/llm/usage')).body).not.toHaveProperty('agent_id');
    expect(llm.asked[1]?.input).toMatchObject({ period: '30d' });
  });

  test('GET /internal/llm/requests pages with a cursor', async () => {
    expect((await send('GET', '/internal/llm/requests?first=5&status=failed')).body).toEqual({
      requests: [],
      next_cursor: 'cursor-1',
    });
    expect(llm.asked[0]?.input).toMatchObject({ first: 5, filter: { status: 'FAILED' } });
  });

  test('POST /internal/llm/embed', async () => {
    expect((await send('POST', '/internal/llm/embed', { input: 'one' })).body).toMatchObject({
      dimensions: 3,
      embeddings: [[0.5, -0.25, 0]],
    });
  });

  test('PUT /internal/llm/models/price', async () => {
    const { status } = await send('PUT', '/internal/llm/models/price', {
      model: 'local/x',
      input_usd: '2.50',
      output_usd: '10',
    });
    expect(status).toBe(200);
    expect(llm.asked[0]?.input).toEqual({ model: 'local/x', inputUsd: '2.50', outputUsd: '10' });
  });
});

describe('bad requests each get their documented code', () => {
  test.each<[string, number, string, string, string, unknown, Record<string, string>]>([
    [
      'no token',
      401,
      'UNAUTHENTICATED',
      'POST',
      '/internal/llm/proxy',
      { model: 'echo', messages },
      { authorization: '' },
    ],
    ['malformed JSON', 400, 'BAD_REQUEST', 'POST', '/internal/llm/proxy', '{"model": ', {}],
    ['no body', 400, 'BAD_REQUEST', 'POST', '/internal/llm/proxy', '', {}],
    [
      'another content type',
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      'POST',
      '/internal/llm/proxy',
      'hello',
      { 'content-type': 'text/plain' },
    ],
    [
      'a form',
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      'POST',
      '/internal/llm/proxy',
      'model=x',
      { 'content-type': 'application/x-www-form-urlencoded' },
    ],
    [
      'too large a body',
      413,
      'PAYLOAD_TOO_LARGE',
      'POST',
      '/internal/llm/proxy',
      { model: 'x'.repeat(2_000_000), messages },
      {},
    ],
    ['an unknown route', 404, 'NOT_FOUND', 'GET', '/internal/llm/nothing', undefined, {}],
    ['an unknown model', 404, 'MODEL_NOT_FOUND', 'GET', '/internal/llm/models/nothing', undefined, {}],
    ['an unknown parameter', 422, 'INVALID_INPUT', 'GET', '/internal/llm/usage?agent=x', undefined, {}],
    ['a body that is a list', 422, 'INVALID_INPUT', 'POST', '/internal/llm/proxy', '[]', {}],
    [
      'a conflict',
      409,
      'IDEMPOTENCY_CONFLICT',
      'POST',
      '/internal/llm/proxy',
      { model: 'refuse:IDEMPOTENCY_CONFLICT', messages },
      {},
    ],
    [
      'no budget',
      402,
      'BUDGET_EXCEEDED',
      'POST',
      '/internal/llm/proxy',
      { model: 'refuse:BUDGET_EXCEEDED', messages },
      {},
    ],
    [
      'a deadline',
      504,
      'PROVIDER_TIMEOUT',
      'POST',
      '/internal/llm/proxy',
      { model: 'refuse:PROVIDER_TIMEOUT', messages },
      {},
    ],
    ['a defect inside', 500, 'INTERNAL_ERROR', 'POST', '/internal/llm/proxy', { model: 'defect', messages }, {}],
  ])('%s: %i %s', async (_, status, code, method, path, body, more) => {
    const answer = await send(method, path, body, { 'x-request-id': 'req-9', ...more });
    expect(answer.status).toBe(status);
    expect(errorOf(answer)).toMatchObject({ code, request_id: 'req-9' });
    expect(errorOf(answer)['message']).not.toMatch(/secret/);
    expect(answer.headers.get('x-request-id')).toBe('req-9');
  });

  test('every problem of a body is named by its path', async () => {
    const answer = await proxy({ model: 5, messages: [{ role: 'robot', content: 'x' }], stream: 'yes' });
    expect(answer.status).toBe(422);
    expect(errorOf(answer)['details']).toEqual([
      { path: 'stream', reason: 'must be true or false, not a string' },
      { path: 'model', reason: 'must be a string, not a number' },
      { path: 'messages[0].role', reason: 'must be one of "system", "user", "assistant", "tool"' },
    ]);
  });

  test('problems that the subgraph finds are told in the client’s spelling too', async () => {
    const answer = await proxy({ model: 'refuse:INVALID_INPUT', messages });
    expect(errorOf(answer)).toMatchObject({
      message: 'Invalid input: messages[0].tool_call_id: is required of a tool; max_tokens: must be positive',
      details: [
        { path: 'messages[0].tool_call_id', reason: 'is required of a tool' },
        { path: 'max_tokens', reason: 'must be positive' },
      ],
    });
  });

  test('a rate limit says when to come again', async () => {
    const answer = await proxy({ model: 'refuse:RATE_LIMITED', messages });
    expect(answer.status).toBe(429);
    expect(answer.headers.get('retry-after')).toBe('2');
  });

  test('a wrong method is told which ones are right, before its body is looked at', async () => {
    const answer = await send('DELETE', '/internal/llm/proxy', 'x', { 'content-type': 'text/plain' });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('POST, OPTIONS');
    const options = await send('OPTIONS', '/internal/llm/models');
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, HEAD, OPTIONS']);
  });

  test('deep nesting, NUL and half surrogates are refused before they reach anybody', async () => {
    const deep = `{"model":"echo","messages":[],"provider_options":${'[['.repeat(10_000)}${']]'.repeat(10_000)}}`;
    expect((await proxy(deep)).status).toBe(422);
    const deeper = await proxy('['.repeat(1_000_000));
    expect(errorOf(deeper)['message']).toBe('Invalid input: must not be nested deeper than 1000 levels');
    const answer = await proxy('{"model":"echo","messages":[{"role":"user","content":"a\\u0000b \\ud800"}]}');
    expect(errorOf(answer)['details']).toEqual([
      { path: 'messages[0].content', reason: 'must not contain the character U+0000' },
    ]);
    expect(llm.asked).toEqual([]);
  });
});

describe('a changed supergraph', () => {
  test('is used from then on, in answers and in the documentation', async () => {
    rest.reload((sdl) =>
      sdl.replace(
        '  COMPLETION @join__enumValue',
        '  BATCH @join__enumValue(graph: LLM)\n  COMPLETION @join__enumValue',
      ),
    );
    const { body } = await send('GET', '/openapi.json');
    expect(JSON.stringify(body)).toContain('"enum":["batch","completion"');
    const answer = await send('GET', '/internal/llm/usage?kind=nothing');
    expect(errorOf(answer)['details']).toEqual([
      { path: 'kind', reason: 'must be one of "batch", "completion", "embedding"' },
    ]);
    rest.reload((sdl) => sdl);
  });

  test('that routes do not fit leaves them as they were', async () => {
    rest.reload((sdl) => sdl.replaceAll('costUsd', 'priceUsd'));
    const { status, body } = await proxy({ model: 'plain', messages });
    expect([status, body]).toMatchObject([200, { usage: { cost_usd: 0.000123 } }]);
    rest.reload((sdl) => sdl);
  });
});
