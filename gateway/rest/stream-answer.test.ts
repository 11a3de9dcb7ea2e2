import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { llmTestResolvers } from './llm-test-resolvers.ts';
import { startRestServer, type RestTestServer } from './rest-test-server.ts';

const llm = llmTestResolvers();
let rest: RestTestServer;
beforeAll(async () => {
  rest = await startRestServer(llm.resolvers, 2_000_000);
});
afterAll(() => rest.close());

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

/** The JSON of each `data:` line; `[DONE]` as text. */
const eventsOf = (text: string): unknown[] =>
  text
    .split('\n\n')
    .filter((part) => part.startsWith('data: '))
    .map((part) => (part === 'data: [DONE]' ? '[DONE]' : JSON.parse(part.slice(6))));

describe('POST /internal/llm/proxy with `stream: true`', () => {
  test('streams one event a line, and [DONE] last', async () => {
    const response = await fetch(`${rest.url}/internal/llm/proxy`, {
      method: 'POST',
      headers: { ...headers, 'x-request-id': 'req-2' },
      body: JSON.stringify({ model: 'tools', messages, stream: true }),
    });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'x-request-id': 'req-2',
    });
    expect(eventsOf(await response.text())).toEqual([
      {
        type: 'started',
        id: 'cmpl_1',
        model: 'gpt-4o',
        provider: 'openai',
        request_id: 'req-2',
        created_at: '2026-11-22T10:00:00.000Z',
      },
      { type: 'reasoning', text: 'hmm' },
      { type: 'text', text: 'Hel' },
      { type: 'text', text: 'lo \u{1f600} data: x\n\n' },
      { type: 'tool_call', index: 0, id: 'call_1', name: 'get_weather', arguments: '' },
      { type: 'tool_call', index: 0, id: null, name: null, arguments: '{"cityName":' },
      { type: 'tool_call', index: 1, id: 'call_2', name: 'get_time', arguments: '{}' },
      { type: 'tool_call', index: 0, id: null, name: null, arguments: '"Kyiv"}' },
      {
        type: 'finished',
        finish_reason: 'tool_calls',
        usage: {
          input_tokens: 7,
          output_tokens: 5,
          cached_input_tokens: 2,
          reasoning_tokens: 1,
          cost_usd: 0.000123,
          estimated: false,
        },
        provider_state: { someKey: ['Kept_as_is'] },
      },
      '[DONE]',
    ]);
  });

  test.each(['refuse:MODEL_NOT_FOUND', 'fails-at-once', 'fails-after-start'])(
    'what fails before the answer begins is an HTTP error, not a stream: %s',
    async (model) => {
      const answer = await proxy({ model, messages, stream: true });
      expect(answer.status).toBe(model === 'refuse:MODEL_NOT_FOUND' ? 404 : 503);
      expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
      expect(errorOf(answer)['code']).toBe(
        model === 'refuse:MODEL_NOT_FOUND' ? 'MODEL_NOT_FOUND' : 'PROVIDER_UNAVAILABLE',
      );
    },
  );

  test.each([
    [
      'breaks',
      {
        code: 'PROVIDER_UNAVAILABLE',
        message: 'The provider is down.',
        retryable: true,
        retry_after_ms: 500,
        request_id: 'req-3',
      },
    ],
    [
      'cut',
      {
        code: 'STREAM_INTERRUPTED',
        message: 'The answer was cut off before its end.',
        retryable: true,
        request_id: 'req-3',
      },
    ],
    [
      'throws',
      {
        code: 'SUBGRAPH_UNAVAILABLE',
        message: 'A part of the graph cannot be reached.',
        retryable: true,
        request_id: 'req-3',
      },
    ],
  ])('what fails in the middle is the last event: %s', async (model, error) => {
    const { body } = await proxy({ model, messages, stream: true }, { 'x-request-id': 'req-3' });
    expect(eventsOf(body).slice(-3)).toEqual([
      { type: 'text', text: 'lo \u{1f600} data: x\n\n' },
      { type: 'failed', error },
      '[DONE]',
    ]);
  });

  test('a token that ends while its stream is open ends the stream', async () => {
    const { body } = await proxy({ model: 'quiet', messages, stream: true }, { authorization: 'Bearer brief' });
    expect(eventsOf(body)).toMatchObject([
      { type: 'started' },
      { type: 'failed', error: { code: 'UNAUTHENTICATED' } },
      '[DONE]',
    ]);
  });

  test('a client that leaves a quiet stream closes its source at once', async () => {
    const client = new AbortController();
    const response = await fetch(`${rest.url}/internal/llm/proxy`, {
      method: 'POST',
      headers,
      signal: client.signal,
      body: JSON.stringify({ model: 'quiet', messages, stream: true }),
    });
    expect(response.status).toBe(200);
    expect(llm.open.count).toBe(1);
    client.abort();
    await expect.poll(() => llm.open.count, { interval: 5, timeout: 1_000 }).toBe(0);
  });

  test('a client that leaves before the first event closes the source too', async () => {
    const client = new AbortController();
    const left = fetch(`${rest.url}/internal/llm/proxy`, {
      method: 'POST',
      headers,
      signal: client.signal,
      body: JSON.stringify({ model: 'quiet', messages, stream: true }),
    });
    await expect.poll(() => llm.open.count, { interval: 5 }).toBe(1);
    client.abort();
    await expect(left).rejects.toThrow('aborted');
    await expect.poll(() => llm.open.count, { interval: 5, timeout: 1_000 }).toBe(0);
  });

  test('a client that reads slowly holds the source back and loses nothing', async () => {
    const body = JSON.stringify({ model: 'flood', messages, stream: true });
    const socket = connect(Number(new URL(rest.url).port), '127.0.0.1');
    socket.write(
      `POST /internal/llm/proxy HTTP/1.1\r\nhost: x\r\nauthorization: Bearer good\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await new Promise((resolve) => socket.once('readable', resolve));
    const before = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
    await sleep(500);
    // 200 MB are on offer.
    expect(process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed - before).toBeLessThan(100_000_000);
    socket.destroy();
    await expect.poll(() => llm.open.count, { interval: 5, timeout: 1_000 }).toBe(0);
  });
});

test('a process that stops ends its streams with a word about it', async () => {
  const stopping = await startRestServer(llm.resolvers);
  const response = await fetch(`${stopping.url}/internal/llm/proxy`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ model: 'quiet', messages, stream: true }),
  });
  void stopping.lifecycle.shutdown();
  expect(eventsOf(await response.text())).toMatchObject([
    { type: 'started' },
    { type: 'failed', error: { code: 'SHUTTING_DOWN', retryable: true, retry_after_ms: 1_000 } },
    '[DONE]',
  ]);
  await stopping.close();
});
