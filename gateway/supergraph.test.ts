import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { AppError } from '#platform/errors.ts';
import { adminCaller, compose, createTestGraph, peopleSdl, silentLogger, usageSdl } from '#test/gateway-subgraphs.ts';
import { Supergraph } from './supergraph.ts';

const graph = createTestGraph();
const { state } = graph;
const options = { transports: graph.subgraphs, logger: silentLogger, fetchDeadlineMs: 150 };
const request = { caller: adminCaller, requestId: 'r-1' };
const never = new AbortController().signal;

const both = [
  ['passing through', Supergraph.fromSdl(graph.sdl, options)],
  ['executing plans', Supergraph.fromSdl(graph.sdl, { ...options, passThrough: false })],
] as const;

function prepared(supergraph: Supergraph, source: string, operationName?: string) {
  const { operation, errors } = supergraph.prepare(source, operationName);
  if (operation === undefined) throw new Error(JSON.stringify(errors));
  return operation;
}

describe.each(both)('a supergraph %s', (_way, supergraph) => {
  const run = (source: string, variables?: Record<string, unknown>, signal = never) =>
    supergraph.execute(prepared(supergraph, source), { ...request, variables }, signal);

  test('a list of entities is joined in one fetch', async () => {
    state.usageFetches = 0;
    const { data } = await run('{ people(first: 5) { usage(period: "7d") { period requests } } }');
    expect(data?.['people']).toEqual([10, 20, 30, 40, 50].map((requests) => ({ usage: { period: '7d', requests } })));
    expect(state.usageFetches).toBe(5);
  });

  test('a field that requires another subgraph’s gets it', async () => {
    expect(await run('{ person(id: "p3") { label } }')).toEqual({ data: { person: { label: 'p3:Person 3' } } });
  });

  test('independent subgraphs are asked at the same time', async () => {
    const leave = new AbortController();
    const before = state.waiting.length;
    const answer = run('{ waits slowTotals { requests } }', undefined, leave.signal);
    // Both wait before either has answered; one after the other, the second would never come.
    while (state.waiting.length < before + 2 && !state.waiting.slice(before).some(({ aborted }) => aborted))
      await sleep(1);
    expect(state.waiting.slice(before).map(({ aborted }) => aborted)).toEqual([false, false]);
    leave.abort(new AppError('CLIENT_CLOSED_REQUEST', 'seen'));
    await expect(answer).rejects.toMatchObject({ code: 'CLIENT_CLOSED_REQUEST' });
  });

  test('what comes too late is null, with DEADLINE_EXCEEDED at each field, and what came is there', async () => {
    const before = state.waiting.length;
    const { data, errors } = await run('{ people(first: 2) { name slow } }');
    expect(data).toEqual({
      people: [
        { name: 'Person 1', slow: null },
        { name: 'Person 2', slow: null },
      ],
    });
    expect(errors?.map(({ path }) => path)).toEqual([
      ['people', 0, 'slow'],
      ['people', 1, 'slow'],
    ]);
    expect(errors?.[0]).toMatchObject({
      message: expect.stringContaining('"usage"'),
      extensions: { code: 'DEADLINE_EXCEEDED', retryable: true, requestId: 'r-1' },
    });
    expect(state.waiting.slice(before).every(({ aborted }) => aborted)).toBe(true);
  });

  test('a null that may not be null goes up to the next field that may', async () => {
    expect(await run('{ person(id: "p2") { name mustHave } nothing }')).toEqual({
      data: { person: null, nothing: null },
      errors: [
        {
          message: 'the usage store is away',
          path: ['person', 'mustHave'],
          extensions: { code: 'DATABASE_UNAVAILABLE', retryable: true, retryAfterMs: 250, requestId: 'r-1' },
        },
      ],
    });
    expect((await run('{ mustNotFail nothing }')).data).toBeNull();
  });

  test('variables that do not fit are told before any fetch', async () => {
    const before = state.usageFetches;
    const wrong = await run('query($input: EchoInput!) { echo(input: $input) { text } }', {
      input: { text: 1, count: 'x', extra: true },
    });
    expect(wrong).not.toHaveProperty('data');
    expect(wrong.errors?.map(({ extensions }) => extensions)).toMatchObject([
      { code: 'INVALID_INPUT', details: [{ path: 'input.text' }], requestId: 'r-1' },
      { code: 'INVALID_INPUT', details: [{ path: 'input.count' }] },
      { code: 'INVALID_INPUT' },
    ]);
    expect((await run('query($id: ID!) { person(id: $id) { id } }')).errors?.[0]?.extensions).toMatchObject({
      code: 'INVALID_INPUT',
      details: [{ path: 'id' }],
    });
    expect(state.usageFetches).toBe(before);
  });

  test('a null in a variable stays one, a default is used where nothing was sent', async () => {
    const source = 'query($first: Int = 1, $code: String) { people(first: $first) { id } fails(code: $code) }';
    expect((await run(source, { code: 'CONFLICT' })).data?.['people']).toHaveLength(1);
    expect((await run(source, { first: 2, code: 'CONFLICT' })).data?.['people']).toHaveLength(2);
  });

  test('aborting rejects with the reason at once and aborts every fetch', async () => {
    const leave = new AbortController();
    const before = state.waiting.length;
    const answer = run('{ waits people(first: 1) { slow } }', undefined, leave.signal);
    answer.catch(() => undefined);
    while (state.waiting.length < before + 1) await sleep(1);
    const reason = new AppError('CLIENT_CLOSED_REQUEST', 'left');
    leave.abort(reason);
    await expect(answer).rejects.toBe(reason);
    expect(state.waiting.slice(before).every(({ aborted }) => aborted)).toBe(true);
    await expect(run('{ nothing }', undefined, leave.signal)).rejects.toBe(reason);
  });

  test('a condition may leave a whole subgraph out', async () => {
    const source = 'query($with: Boolean!) { nothing totals @include(if: $with) { requests } }';
    expect(await run(source, { with: false })).toEqual({ data: { nothing: null } });
    expect(await run(source, { with: true })).toEqual({ data: { nothing: null, totals: { requests: 7 } } });
  });

  test('an unknown id is null, and an entity nobody knows is null with no harm to others', async () => {
    expect(await run('{ person(id: "none") { name usage { requests } } }')).toEqual({ data: { person: null } });
  });

  test('a subscription’s stream ends when its reader aborts, with the reason', async () => {
    const leave = new AbortController();
    const stream = supergraph.subscribe(
      prepared(supergraph, 'subscription { quiet { number } }'),
      request,
      leave.signal,
    );
    const opened = state.streamsOpened;
    const next = stream.next();
    while (state.streamsOpened === opened) await sleep(1);
    const reason = new AppError('UNAUTHENTICATED', 'expired');
    leave.abort(reason);
    await expect(next).rejects.toBe(reason);
    while (state.streamsOpen > 0) await sleep(1);
  });

  test('joins of an event have their deadline, and the stream goes on', async () => {
    const results = [];
    for await (const result of supergraph.subscribe(
      prepared(supergraph, 'subscription { messages(count: 2) { text author { slow } } }'),
      request,
      never,
    ))
      results.push(result);
    expect(results).toMatchObject(
      [0, 1].map((number) => ({
        data: { messages: { text: `message ${number}`, author: { slow: null } } },
        errors: [{ path: ['messages', 'author', 'slow'], extensions: { code: 'DEADLINE_EXCEEDED' } }],
      })),
    );
  });
});

describe('preparing', () => {
  const [, supergraph] = both[0];

  test('happens once for a source and an operation name', () => {
    const source = 'query A { nothing } query B { totals { requests } }';
    expect(supergraph.prepare(source, 'A')).toBe(supergraph.prepare(source, 'A'));
    expect(prepared(supergraph, source, 'A').name).toBe('A');
    expect(prepared(supergraph, source, 'B').name).toBe('B');
    expect(supergraph.prepare(source).errors?.[0]?.message).toContain('operationName');
  });

  test.each([
    'subscription($x: Boolean!) { ticks @include(if: $x) { number } }',
    'subscription($x: Boolean!) { ...F } fragment F on Subscription { ... @skip(if: $x) { ticks { number } } }',
    'subscription { ticks @skip(if: true) { number } }',
  ])('refuses a condition at the root of a subscription: %s', (source) =>
    expect(supergraph.prepare(source).errors?.[0]).toMatchObject({
      message: expect.stringContaining('cannot be conditional'),
      extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
    }),
  );

  test('shows where in the text the mistake is', () => {
    expect(supergraph.prepare('{\n  nothin }').errors).toEqual([
      {
        message: expect.stringContaining('Did you mean "nothing"'),
        locations: [{ line: 2, column: 3 }],
        extensions: { code: 'GRAPHQL_VALIDATION_FAILED', retryable: false },
      },
    ]);
  });

  test('an operation that one supergraph prepared is run by it after another was made', async () => {
    const operation = prepared(supergraph, '{ person(id: "p1") { name } }');
    Supergraph.fromSdl(compose({ people: peopleSdl, usage: usageSdl }), options);
    expect((await supergraph.execute(operation, request, never)).data).toEqual({ person: { name: 'Person 1' } });
  });

  test('a supergraph with a subgraph that has no transport is refused by its name', () => {
    expect(() => Supergraph.fromSdl(graph.sdl, { ...options, transports: { people: graph.subgraphs.people } })).toThrow(
      /usage, feed|feed, usage/,
    );
    expect(() => Supergraph.fromSdl('type Query { a: Int }', options)).toThrow();
  });
});
