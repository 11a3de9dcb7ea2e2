import { setTimeout as sleep } from 'node:timers/promises';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWsClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { startTestGateway, type TestGateway } from '#test/gateway-server.ts';

// It takes a few milliseconds; the promise is 100. Suites share a machine, and a test that fails under load tells nothing.
const promptMs = 500;

interface Result {
  data?: any;
  errors?: { message: string; path?: (string | number)[]; extensions: Record<string, unknown> }[];
}

interface Client {
  readonly subscribe: (operation: {
    query: string;
    variables?: Record<string, unknown>;
  }) => AsyncIterableIterator<Result>;
  readonly close: () => void;
}

const ways = {
  ws: (gateway: TestGateway, token: string): Client => {
    const client = createWsClient({
      url: `${gateway.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${token}` },
      retryAttempts: 0,
    });
    return {
      subscribe: (operation) => client.iterate(operation) as AsyncIterableIterator<Result>,
      close: () => void client.dispose(),
    };
  },
  sse: (gateway: TestGateway, token: string): Client => {
    const client = createSseClient({
      url: `${gateway.url}/graphql`,
      headers: { authorization: `Bearer ${token}` },
      retryAttempts: 0,
    });
    return {
      subscribe: (operation) => client.iterate(operation) as AsyncIterableIterator<Result>,
      close: () => client.dispose(),
    };
  },
};

async function all(results: AsyncIterable<Result>): Promise<Result[]> {
  const collected: Result[] = [];
  for await (const result of results) collected.push(result);
  return collected;
}

async function until(condition: () => boolean, withinMs: number): Promise<number> {
  const startedAt = performance.now();
  while (!condition()) {
    if (performance.now() - startedAt > withinMs) throw new Error(`it did not come true within ${withinMs} ms`);
    await sleep(2);
  }
  return performance.now() - startedAt;
}

async function unchangedFor(durationMs: number, read: () => number, withinMs: number): Promise<void> {
  let value = read();
  let since = performance.now();
  await until(() => {
    if (read() !== value) [value, since] = [read(), performance.now()];
    return performance.now() - since >= durationMs;
  }, withinMs);
}

describe.each(['http', 'in-process'] as const)('on %s transports', (transport) => {
  let gateway: TestGateway;
  let token: string;
  beforeAll(async () => {
    gateway = await startTestGateway({ overHttp: transport === 'http' });
    token = await gateway.token();
  });
  afterAll(() => gateway.close());

  const post = async (body: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: response.status, headers: response.headers, result: (await response.json()) as Result };
  };

  describe('over HTTP', () => {
    test('one query joins entities of several subgraphs', async () => {
      const { status, result } = await post({
        query: '{ people(first: 2) { name usage { requests } best { id label } } totals { requests } }',
      });
      expect(status).toBe(200);
      expect(result).toEqual({
        data: {
          people: [
            { name: 'Person 1', usage: { requests: 10 }, best: { id: 'p2', label: 'p2:Person 2' } },
            { name: 'Person 2', usage: { requests: 20 }, best: { id: 'p3', label: 'p3:Person 3' } },
          ],
          totals: { requests: 7 },
        },
      });
    });

    test('a field that fails is null, with its path and code, and the rest is there', async () => {
      const { status, headers, result } = await post(
        { query: '{ people { id risky } }' },
        { 'x-request-id': 'mine-1' },
      );
      expect(status).toBe(200);
      expect(headers.get('x-request-id')).toBe('mine-1');
      expect(result.data.people[1]).toEqual({ id: 'p2', risky: null });
      expect(result.errors).toEqual([
        {
          message: 'p2 does not share this',
          path: ['people', 1, 'risky'],
          extensions: { code: 'FORBIDDEN', retryable: false, requestId: 'mine-1' },
        },
      ]);
    });

    test('mutations run in order, in their own subgraph', async () => {
      const { result } = await post({
        query:
          'mutation { a: rename(id: "p5", name: "First") { name } b: rename(id: "p5", name: "Second") { name usage { requests } } }',
      });
      expect(result).toEqual({ data: { a: { name: 'First' }, b: { name: 'Second', usage: { requests: 50 } } } });
    });

    test('caller, request id and trace context arrive at the subgraph', async () => {
      const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
      const { result } = await post(
        {
          query: 'query($input: EchoInput!) { echo(input: $input) { text count any requestId subject traceparent } }',
          variables: { input: { text: 'a', any: { deep: [1, { é: '🙂' }] } }, unknown: 1 },
        },
        { 'x-request-id': 'abc-9', traceparent },
      );
      expect(result.data.echo).toEqual({
        text: 'a',
        count: 1,
        any: { deep: [1, { é: '🙂' }] },
        requestId: 'abc-9',
        subject: 'user:root',
        traceparent,
      });
    });

    test.each([
      ['broken syntax', { query: '{ person(' }, 400, 'BAD_REQUEST'],
      ['an unknown field', { query: '{ persom }' }, 400, 'GRAPHQL_VALIDATION_FAILED'],
      [
        'variables that do not fit',
        { query: 'query($id: ID!) { person(id: $id) { id } }', variables: {} },
        400,
        'INVALID_INPUT',
      ],
      [
        'a deep query',
        { query: `{ person(id: 1) ${'{ best '.repeat(30)} { id } ${'}'.repeat(30)} }` },
        400,
        'OPERATION_TOO_COMPLEX',
      ],
      ['no query', { variables: {} }, 400, 'BAD_REQUEST'],
      ['a batch', [{ query: '{ nothing }' }], 400, 'BAD_REQUEST'],
      ['variables that are a string', { query: '{ nothing }', variables: '{}' }, 400, 'BAD_REQUEST'],
      ['several operations and no name', { query: 'query A { nothing } query B { nothing }' }, 400, 'BAD_REQUEST'],
      ['a name that no operation has', { query: 'query A { nothing }', operationName: 'B' }, 400, 'BAD_REQUEST'],
      ['a subscription', { query: 'subscription { ticks { number } }' }, 400, 'BAD_REQUEST'],
      ['a body that is not JSON', '{"query": "{ nothing }"', 400, 'BAD_REQUEST'],
      ['an empty body', '', 400, 'BAD_REQUEST'],
      [
        'a conditional subscription',
        { query: 'subscription($x: Boolean!) { ticks @include(if: $x) { number } }', variables: { x: true } },
        400,
        'GRAPHQL_VALIDATION_FAILED',
      ],
    ])('%s is refused with %#', async (_name, body, status, code) => {
      const refused = await post(body);
      expect(refused.result.errors?.[0]?.extensions['code']).toBe(code);
      expect(refused.status).toBe(status);
      expect(refused.result.errors?.[0]?.extensions['requestId']).toBe(refused.headers.get('x-request-id'));
      expect(refused.result).not.toHaveProperty('data');
    });

    test('several operations run by their name, each with its own fragments and variables', async () => {
      const query =
        'query A($id: ID!) { person(id: $id) { ...F } } fragment F on Person { name friends(first: $first) { id } } query B($first: Int) { people(first: 1) { ...F } }';
      expect((await post({ query, operationName: 'B', variables: { first: 1 } })).status).toBe(400);
      const fine =
        'query A($id: ID!) { person(id: $id) { ...F } } fragment F on Person { name } query B($first: Int) { people(first: $first) { ...G } } fragment G on Person { friends(first: $first) { id } }';
      expect((await post({ query: fine, operationName: 'A', variables: { id: 'p1' } })).result.data.person.name).toBe(
        'Person 1',
      );
      expect((await post({ query: fine, operationName: 'B', variables: { first: 1 } })).result.data.people).toEqual([
        { friends: [{ id: 'p2' }] },
      ]);
    });

    test('what breaks inside is masked, and logged', async () => {
      const { status, result } = await post({ query: '{ fails nothing }' });
      expect(status).toBe(200);
      expect(JSON.stringify(result)).not.toContain('secret');
      expect(result.errors?.[0]).toMatchObject({ path: ['fails'], extensions: { code: 'INTERNAL_ERROR' } });
    });

    test('hints for a retry come through', async () => {
      const { result } = await post({ query: '{ fails(code: "RATE_LIMITED") }' });
      expect(result.errors?.[0]?.extensions).toMatchObject({
        code: 'RATE_LIMITED',
        retryable: true,
        retryAfterMs: 1500,
        details: [{ path: 'code', reason: 'asked for' }],
      });
    });

    test('GET answers queries, not mutations, and not without a preflight', async () => {
      const get = async (query: string, headers: Record<string, string> = {}) => {
        const response = await fetch(`${gateway.url}/graphql?query=${encodeURIComponent(query)}`, {
          headers: { authorization: `Bearer ${token}`, ...headers },
        });
        return { status: response.status, result: (await response.json()) as Result };
      };
      expect(await get('{ totals { requests } }', { 'apollo-require-preflight': '1' })).toEqual({
        status: 200,
        result: { data: { totals: { requests: 7 } } },
      });
      expect((await get('mutation { failToRename(id: 1) { id } }', { 'apollo-require-preflight': '1' })).status).toBe(
        405,
      );
      expect((await get('{ totals { requests } }')).status).toBe(400);
    });

    test('a client that leaves aborts the work in the subgraph at once', async () => {
      const { waiting } = gateway.graph.state;
      const before = waiting.length;
      const leave = new AbortController();
      const request = fetch(`${gateway.url}/graphql`, {
        method: 'POST',
        signal: leave.signal,
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ query: '{ waits person(id: "p1") { slow } }' }),
      });
      await until(() => waiting.length === before + 2 || waiting.length === before + 1, 2_000);
      leave.abort();
      await expect(request).rejects.toThrow();
      expect(await until(() => waiting.slice(before).every((signal) => signal.aborted), 1_000)).toBeLessThan(promptMs);
    });
  });

  describe.each(['ws', 'sse'] as const)('over %s', (way) => {
    let client: Client;
    beforeAll(() => {
      client = ways[way](gateway, token);
    });
    afterAll(() => client.close());

    test('a stream of one subgraph comes through whole and in order', async () => {
      const results = await all(
        client.subscribe({ query: 'subscription { ticks(count: 500) { number any padding } }' }),
      );
      expect(results.map(({ data }) => data.ticks.number)).toEqual(Array.from({ length: 500 }, (_, number) => number));
      expect(results[7]?.data.ticks.any).toEqual({ text: 'data: event: next\n\n7 é🙂', nested: [7] });
    });

    test('each event is joined with another subgraph', async () => {
      const results = await all(
        client.subscribe({
          query: 'subscription($n: Int) { messages(count: $n) { text author { name usage { requests } label } } }',
          variables: { n: 3 },
        }),
      );
      expect(results).toEqual(
        [0, 1, 2].map((number) => ({
          data: {
            messages: {
              text: `message ${number}`,
              author: {
                name: `Person ${number + 1}`,
                usage: { requests: (number + 1) * 10 },
                label: `p${number + 1}:Person ${number + 1}`,
              },
            },
          },
        })),
      );
    });

    test('an event that fails is an error of its own; the stream goes on', async () => {
      for (const selection of ['text', 'text author { name risky }']) {
        const results = await all(
          client.subscribe({ query: `subscription { messages(count: 3, failAt: 0) { ${selection} } }` }),
        );
        expect(results).toHaveLength(3);
        expect(results[0]?.data.messages).toBeNull();
        expect(results[0]?.errors?.[0]).toMatchObject({
          message: 'this one not',
          path: ['messages'],
          extensions: { code: 'RATE_LIMITED' },
        });
        expect(results[2]?.data.messages.text).toBe('message 2');
      }
    });

    test('queries and mutations work too', async () => {
      expect(await all(client.subscribe({ query: '{ person(id: "p1") { usage { requests } } }' }))).toEqual([
        { data: { person: { usage: { requests: 10 } } } },
      ]);
      expect(await all(client.subscribe({ query: 'mutation { failToRename(id: "p1") { id } }' }))).toMatchObject([
        { data: { failToRename: null }, errors: [{ extensions: { code: 'CONFLICT' } }] },
      ]);
    });

    test('a subscription that the subgraph refuses says why and ends', async () => {
      const [result, ...more] = await all(client.subscribe({ query: 'subscription { refused { number } }' }));
      expect(more).toEqual([]);
      expect(result?.errors?.[0]).toMatchObject({ message: 'no money left', extensions: { code: 'BUDGET_EXCEEDED' } });
    });

    test('leaving a quiet stream stops its source at once', async () => {
      const { state } = gateway.graph;
      await until(() => state.streamsOpen === 0, 2_000);
      const opened = state.streamsOpened;
      const stream = client.subscribe({ query: 'subscription { quiet { number } }' });
      const first = stream.next();
      await until(() => state.streamsOpened === opened + 1, 2_000);
      const left = stream.return?.();
      expect(await until(() => state.streamsOpen === 0, 1_000)).toBeLessThan(promptMs);
      await Promise.allSettled([first, left]);
    });

    test('a slow reader slows the source down, and misses nothing', async () => {
      const { state } = gateway.graph;
      // Over HTTP both ends of both connections share this one process: fewer show the same.
      const count = transport === 'http' ? 20_000 : 100_000;
      state.eventsMade = 0;
      let expected = 0;
      for await (const { data } of client.subscribe({
        query: `subscription { ticks(count: ${count}) { number padding } }`,
      })) {
        if (data.ticks.number !== expected) throw new Error(`${data.ticks.number} came instead of ${expected}`);
        expected += 1;
      }
      expect(expected).toBe(count);
    }, 60_000);

    test('a client whose socket is not read holds the source up', async () => {
      // The official clients read as fast as they can, so the socket is held by hand.
      const { state } = gateway.graph;
      await until(() => state.streamsOpen === 0, 2_000);
      state.eventsMade = 0;
      const stop = await (way === 'ws' ? unreadWebSocket : unreadEvents)(
        gateway,
        token,
        'subscription { ticks { number padding any } }',
      );
      try {
        await until(() => state.eventsMade > 100, 5_000);
        // All buffers on the way fill up first, those of the kernel too.
        await unchangedFor(800, () => state.eventsMade, 30_000);
      } finally {
        stop();
      }
      expect(await until(() => state.streamsOpen === 0, 2_000)).toBeLessThan(promptMs);
    }, 40_000);
  });
});

async function unreadWebSocket(gateway: TestGateway, token: string, query: string): Promise<() => void> {
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send(JSON.stringify({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } }));
  await new Promise((resolve) => socket.once('message', resolve));
  socket.send(JSON.stringify({ type: 'subscribe', id: '1', payload: { query } }));
  socket.pause();
  return () => socket.terminate();
}

async function unreadEvents(gateway: TestGateway, token: string, query: string): Promise<() => void> {
  const leave = new AbortController();
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    signal: leave.signal,
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query }),
  });
  if (response.headers.get('content-encoding') !== null) throw new Error('The stream is compressed.');
  return () => leave.abort();
}
