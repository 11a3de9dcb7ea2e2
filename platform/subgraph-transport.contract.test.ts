import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionResult } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AppError } from './errors.ts';
import { createInternalTokenSigner } from './internal-token.ts';
import type { SubgraphRequest, SubgraphTransport } from './subgraph-transport.ts';
import { adminCaller, createTestGraph, internalSecret, serveOverHttp, silentLogger } from '#test/gateway-subgraphs.ts';
import { createHttpTransport, type HttpTransportOptions } from './http-transport.ts';
import { createInProcessTransport } from './in-process-transport.ts';

// It takes a few milliseconds; the promise is 100. Suites share a machine, and a test that fails under load tells nothing.
const promptMs = 500;

const graph = createTestGraph();
const { state } = graph;
const request = (query: string, variables?: Record<string, unknown>): SubgraphRequest => ({
  query,
  variables,
  caller: adminCaller,
  requestId: 'r-1',
});
const never = new AbortController().signal;

async function until(condition: () => boolean, withinMs: number): Promise<number> {
  const startedAt = performance.now();
  while (!condition()) {
    if (performance.now() - startedAt > withinMs) throw new Error(`it did not come true within ${withinMs} ms`);
    await sleep(2);
  }
  return performance.now() - startedAt;
}

const signCaller = createInternalTokenSigner(internalSecret, 'subgraph');
const openHttp = (url: string, options: Partial<HttpTransportOptions> = {}) =>
  createHttpTransport({ url, name: 'sub', signCaller, logger: silentLogger, ...options });

describe.each(['http', 'in-process'] as const)('the %s transport', (kind) => {
  const closers: (() => Promise<unknown>)[] = [];
  let people: SubgraphTransport;
  let feed: SubgraphTransport;
  beforeAll(async () => {
    const open = async (subgraph: (typeof graph.subgraphs)['people']): Promise<SubgraphTransport> => {
      if (kind === 'in-process') return createInProcessTransport(subgraph);
      const served = await serveOverHttp(subgraph);
      const transport = openHttp(served.url);
      closers.push(
        () => transport.close(),
        () => served.close(),
      );
      return transport;
    };
    people = await open(graph.subgraphs.people);
    feed = await open(graph.subgraphs.feed);
  });
  afterAll(async () => {
    for (const close of closers) await close();
  });

  test('answers data, and errors with their codes', async () => {
    expect(await people.execute(request('query($id: ID!) { person(id: $id) { name } }', { id: 'p1' }), never)).toEqual({
      data: { person: { name: 'Person 1' } },
    });
    const { data, errors } = await people.execute(request('{ fails(code: "CONFLICT") nothing }'), never);
    expect(data).toEqual({ fails: null, nothing: null });
    expect(errors?.[0]).toMatchObject({
      message: 'too much, too soon',
      path: ['fails'],
      extensions: { code: 'CONFLICT', retryAfterMs: 1500 },
    });
  });

  test('carries the caller, the request id, trace context and any JSON', async () => {
    const any = { text: 'é🙂\u2028', deep: [[{}], null, 1.5, true] };
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const query = 'query Named($input: EchoInput!) { echo(input: $input) { any requestId subject traceparent } }';
    const result = await people.execute(
      { ...request(query, { input: { text: '', any } }), operationName: 'Named', traceparent },
      never,
    );
    expect(result.data).toEqual({ echo: { any, requestId: 'r-1', subject: 'user:root', traceparent } });
  });

  test('an operation that does not fit is an answer with errors', async () => {
    const { data, errors } = await people.execute(request('{ nonsense }'), never);
    expect(data).toBeUndefined();
    expect(errors).toHaveLength(1);
  });

  test('aborting ends the work in the subgraph at once and rejects with the reason', async () => {
    const abort = new AbortController();
    const before = state.waiting.length;
    const answer = people.execute(request('{ waits }'), abort.signal);
    await until(() => state.waiting.length === before + 1, 2_000);
    const reason = new AppError('DEADLINE_EXCEEDED', 'enough');
    abort.abort(reason);
    await expect(answer).rejects.toBe(reason);
    expect(await until(() => state.waiting[before]?.aborted === true, 1_000)).toBeLessThan(promptMs);
    await expect(people.execute(request('{ nothing }'), abort.signal)).rejects.toBe(reason);
  });

  test('a subscription gives all events in order, and ends', async () => {
    const numbers: unknown[] = [];
    for await (const { data } of feed.subscribe(request('subscription { ticks(count: 1000) { number } }'), never))
      numbers.push((data?.['ticks'] as { number: number }).number);
    expect(numbers).toEqual(Array.from({ length: 1000 }, (_, number) => number));
  });

  test('a refused subscription yields one result with errors', async () => {
    const results: ExecutionResult[] = [];
    for await (const result of feed.subscribe(request('subscription { refused { number } }'), never))
      results.push(result);
    expect(results).toMatchObject([{ errors: [{ extensions: { code: 'BUDGET_EXCEEDED' } }] }]);
  });

  test.each(['returning', 'aborting'] as const)('%s stops a quiet source at once', async (how) => {
    await until(() => state.streamsOpen === 0, 2_000);
    const abort = new AbortController();
    const opened = state.streamsOpened;
    const stream = feed.subscribe(request('subscription { quiet { number } }'), abort.signal);
    const reason = new AppError('CLIENT_CLOSED_REQUEST', 'left');
    const outcome = (reading: Promise<IteratorResult<ExecutionResult>>) =>
      reading.then(
        ({ done }) => done,
        (error: unknown) => error,
      );
    const waiting = outcome(stream.next());
    await until(() => state.streamsOpened === opened + 1, 2_000);
    if (how === 'returning') await stream.return?.();
    else abort.abort(reason);
    expect(await until(() => state.streamsOpen === 0, 1_000)).toBeLessThan(promptMs);
    expect(await waiting).toBe(how === 'returning' ? true : reason);
    expect(await outcome(stream.next())).toBe(how === 'returning' ? true : reason);
  });

  test('a stream that was never read from opens nothing', async () => {
    const opened = state.streamsOpened;
    const stream = feed.subscribe(request('subscription { quiet { number } }'), never);
    await stream.return?.();
    await sleep(20);
    expect(state.streamsOpened).toBe(opened);
  });

  test('a reader that pauses holds the source up', async () => {
    await until(() => state.streamsOpen === 0, 2_000);
    state.eventsMade = 0;
    const stream = feed.subscribe(request('subscription { ticks { number padding any } }'), never);
    await stream.next();
    let made = -1;
    await until(() => {
      // The kernel's buffers fill up first.
      const still = made === state.eventsMade;
      made = state.eventsMade;
      return still && made > 0;
    }, 10_000);
    await sleep(200);
    for (let number = 1; number < 50; number += 1) expect((await stream.next()).value.data.ticks.number).toBe(number);
    await stream.return?.();
    await until(() => state.streamsOpen === 0, 2_000);
  });

  test('pings when it can serve', async () => {
    await expect(people.ping(never)).resolves.toBeUndefined();
  });
});

describe('the http transport and a subgraph that misbehaves', () => {
  let server: Server;
  let url: string;
  let handle: (body: { query: string }, response: import('node:http').ServerResponse) => void = () => {};
  let connections = 0;
  let requests = 0;
  beforeAll(async () => {
    server = createServer((incoming, response) => {
      requests += 1;
      let body = '';
      incoming.on('data', (chunk) => (body += String(chunk)));
      incoming.on('end', () => handle(JSON.parse(body === '' ? '{}' : body), response));
    });
    server.on('connection', () => (connections += 1));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const refused = async (transport: SubgraphTransport, query = '{ a }') => {
    const error: unknown = await transport.execute(request(query), never).catch((failure: unknown) => failure);
    await transport.close();
    return error as AppError;
  };

  test.each([
    ['HTML', 200, '<html>', 'SUBGRAPH_BAD_RESPONSE'],
    ['JSON that is no result', 200, '{"hello":1}', 'SUBGRAPH_BAD_RESPONSE'],
    ['a JSON array', 200, '[]', 'SUBGRAPH_BAD_RESPONSE'],
    ['nothing', 200, '', 'SUBGRAPH_BAD_RESPONSE'],
    ['503', 503, 'no healthy upstream', 'SUBGRAPH_UNAVAILABLE'],
    ['a refused token', 401, '{"error":{"code":"UNAUTHENTICATED","message":"no"}}', 'SUBGRAPH_BAD_RESPONSE'],
    ['that it is stopping', 503, '{"error":{"code":"SHUTTING_DOWN","message":"stopping"}}', 'SHUTTING_DOWN'],
  ])('%s is an error of its own', async (_name, status, body, code) => {
    handle = (_body, response) => response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    expect(await refused(openHttp(url))).toMatchObject({ code });
  });

  test('an answer beyond the bound is given up', async () => {
    handle = (_body, response) => response.end(JSON.stringify({ data: { a: 'x'.repeat(100_000) } }));
    expect(await refused(openHttp(url, { responseBytesMax: 50_000 }))).toMatchObject({ code: 'SUBGRAPH_BAD_RESPONSE' });
  });

  test('silence before and inside an answer has a deadline', async () => {
    handle = () => {};
    expect(await refused(openHttp(url, { deadlines: { headersMs: 200 } }))).toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    });
    handle = (_body, response) => void response.write('{"data":');
    expect(await refused(openHttp(url, { deadlines: { bodyMs: 200 } }))).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  });

  test('nobody there is SUBGRAPH_UNAVAILABLE', async () => {
    expect(await refused(openHttp('http://127.0.0.1:9'))).toMatchObject({
      code: 'SUBGRAPH_UNAVAILABLE',
      retryable: true,
    });
  });

  test('a kept-alive connection that was closed costs a query one more try, and a mutation none', async () => {
    for (const [query, tries] of [
      ['query { a }', 2],
      ['mutation { a }', 1],
    ] as const) {
      let calls = 0;
      handle = (_body, response) => {
        calls += 1;
        if (calls === 1) response.socket?.destroy();
        else response.end('{"data":{"a":1}}');
      };
      const transport = openHttp(url);
      const before = requests;
      const outcome = await transport.execute(request(query), never).catch((error: AppError) => error.code);
      expect(outcome).toEqual(tries === 2 ? { data: { a: 1 } } : 'SUBGRAPH_UNAVAILABLE');
      expect(requests - before).toBe(tries);
      await transport.close();
    }
  });

  test('connections are kept and used again', async () => {
    handle = (_body, response) => response.end('{"data":{"a":1}}');
    const transport = openHttp(url);
    const before = connections;
    for (let count = 0; count < 20; count += 1) await transport.execute(request('{ a }'), never);
    // The answer is there a moment before its connection is free again.
    expect(connections - before).toBeLessThanOrEqual(2);
    await transport.close();
  });

  const streamed = async (options: Partial<HttpTransportOptions> = {}) => {
    const transport = openHttp(url, options);
    const results: unknown[] = [];
    try {
      for await (const result of transport.subscribe(request('subscription { a }'), never)) results.push(result);
      return { results, code: undefined };
    } catch (error) {
      return { results, code: (error as AppError).code };
    } finally {
      await transport.close();
    }
  };
  const events = (response: import('node:http').ServerResponse) =>
    response.writeHead(200, { 'content-type': 'text/event-stream' });

  test('a stream cut before `complete` gives what came, and then says so', async () => {
    handle = (_body, response) => {
      events(response).write('event: next\ndata: {"data":{"a":1}}\n\n');
      setTimeout(() => response.socket?.destroy(), 30);
    };
    expect(await streamed()).toEqual({ results: [{ data: { a: 1 } }], code: 'SUBGRAPH_UNAVAILABLE' });
    handle = (_body, response) => events(response).end('event: next\ndata: {"data":{"a":1}}\n\n');
    expect(await streamed()).toEqual({ results: [{ data: { a: 1 } }], code: 'SUBGRAPH_UNAVAILABLE' });
  });

  test('events cut anywhere come whole', async () => {
    handle = async (_body, response) => {
      events(response);
      const bytes = Buffer.from(
        ':\n\nevent: next\ndata: {"data":{"a":"data: é🙂\\n\\n"}}\n\nevent: complete\ndata:\n\n',
      );
      for (const byte of bytes) {
        response.write(Buffer.from([byte]));
        await new Promise((resolve) => setImmediate(resolve));
      }
      response.end();
    };
    expect(await streamed()).toEqual({ results: [{ data: { a: 'data: é🙂\n\n' } }], code: undefined });
  });

  test('a stream without even pings is given up', async () => {
    handle = (_body, response) => void events(response).write('event: next\ndata: {"data":{"a":1}}\n\n');
    expect(await streamed({ deadlines: { idleMs: 300 } })).toEqual({
      results: [{ data: { a: 1 } }],
      code: 'SUBGRAPH_UNAVAILABLE',
    });
  });

  test('an answer that is no stream is read as a result, or is an error', async () => {
    handle = (_body, response) =>
      response.writeHead(400, { 'content-type': 'application/json' }).end('{"errors":[{"message":"no"}]}');
    expect(await streamed()).toEqual({ results: [{ errors: [{ message: 'no' }] }], code: undefined });
    handle = (_body, response) => response.writeHead(502).end('bad gateway');
    expect(await streamed()).toEqual({ results: [], code: 'SUBGRAPH_UNAVAILABLE' });
    handle = (_body, response) => events(response).end('event: next\ndata: nonsense\n\n');
    expect(await streamed()).toEqual({ results: [], code: 'SUBGRAPH_BAD_RESPONSE' });
  });
});
