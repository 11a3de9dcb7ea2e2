/**
 * Three small subgraphs for the gateway's tests: people (owns Person), usage (adds to Person, may fail, may be slow)
 * and feed (streams). Composed here, run in-process or over real HTTP.
 */
import { composeServices } from '@apollo/composition';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'graphql';
import { pino } from 'pino';
import type { Caller } from '#platform/caller.ts';
import { AppError } from '#platform/errors.ts';
import { createHttpServer } from '#platform/http-server.ts';
import { createInternalTokenVerifier } from '#platform/internal-token.ts';
import { Lifecycle } from '#platform/lifecycle.ts';
import { createMetrics } from '#platform/metrics.ts';
import { serveSubgraph } from '#platform/subgraph-http.ts';
import { createSubgraph, type ResolverContext, type Subgraph } from '#platform/subgraph-server.ts';

export const silentLogger = pino({ level: 'silent' });
export const internalSecret = 'internal secret of the gateway tests, 32 characters';
export const adminCaller: Caller = { subject: 'user:root', admin: true, memberships: [] };

const preamble = `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@inaccessible", "@external", "@requires"])
  directive @access(roles: [AccessRole!]!, microdao: String, agent: String) on FIELD_DEFINITION
  enum AccessRole @inaccessible { OPERATOR SERVICE AGENT MEMBER }
  scalar JSON
`;

export const peopleSdl = `${preamble}
  type Query {
    person(id: ID!): Person @access(roles: [])
    people(first: Int = 3): [Person!]! @access(roles: [])
    animals: [Animal!]! @access(roles: [])
    search(text: String): [Found!]! @access(roles: [])
    echo(input: EchoInput!): Echo! @access(roles: [])
    whoAsks: WhoAsks! @access(roles: [OPERATOR, SERVICE, AGENT, MEMBER])
    nothing: String @access(roles: [])
    fails(code: String): String @access(roles: [])
    mustNotFail: String! @access(roles: [])
    waits: String @access(roles: [])
    mood: Mood @access(roles: [])
  }
  type Mutation {
    rename(id: ID!, name: String!): Person! @access(roles: [])
    failToRename(id: ID!): Person @access(roles: [])
  }
  type Person @key(fields: "id") {
    id: ID! name: String! nick: String kind: Kind!
    best: Person @access(roles: [])
    friends(first: Int = 2): [Person!]! @access(roles: [])
  }
  type WhoAsks { subject: String! actor: String admin: Boolean! microdaoIds: [ID!]! roles: [String!]! agentId: ID }
  enum Kind { HUMAN ROBOT }
  enum Mood { GOOD BAD SECRET @inaccessible }
  interface Animal { name: String! legs: Int }
  type Cat implements Animal { name: String! legs: Int lives: Int! }
  type Dog implements Animal { name: String! legs: Int owner: Person }
  union Found = Person | Cat | Dog
  input EchoInput { text: String! count: Int = 1 any: JSON tags: [String!] kind: Kind }
  type Echo { text: String! count: Int! any: JSON tags: [String!] requestId: String! subject: String! traceparent: String }
`;

export const usageSdl = `${preamble}
  type Query { totals: Totals! @access(roles: []) slowTotals: Totals @access(roles: []) }
  type Totals { requests: Int! }
  type Person @key(fields: "id") {
    id: ID!
    name: String! @external
    usage(period: String = "30d"): Usage @access(roles: [])
    mustHave: Int! @access(roles: [])
    risky: Int @access(roles: [])
    slow: String @access(roles: [])
    label: String @requires(fields: "name") @access(roles: [])
  }
  type Usage { period: String! requests: Int! }
`;

export const feedSdl = `${preamble}
  type Query { feedStatus: String @access(roles: []) }
  type Subscription {
    ticks(count: Int, everyMs: Int = 0): Tick! @access(roles: [])
    memberTicks(count: Int): Tick! @access(roles: [OPERATOR, SERVICE, AGENT, MEMBER])
    messages(count: Int, failAt: Int): Message @access(roles: [])
    quiet: Tick! @access(roles: [])
    refused: Tick! @access(roles: [])
  }
  type Tick { number: Int! any: JSON padding: String }
  type Message { text: String! author: Person }
  type Person @key(fields: "id", resolvable: false) { id: ID! }
`;

interface PersonRow {
  readonly id: string;
  name: string;
  readonly nick: string | null;
  readonly kind: string;
}

/** What the tests look at and turn. */
export interface TestGraphState {
  /** Signals of resolvers that wait: `waits`, `slow`, `slowTotals`. */
  readonly waiting: AbortSignal[];
  streamsOpened: number;
  streamsOpen: number;
  eventsMade: number;
  usageFetches: number;
}

export interface TestGraph {
  readonly subgraphs: { readonly people: Subgraph; readonly usage: Subgraph; readonly feed: Subgraph };
  readonly state: TestGraphState;
  readonly sdl: string;
}

/** Composes SDL files by subgraph name. Throws all composition errors at once. */
export function compose(services: Readonly<Record<string, string>>): string {
  const definitions = Object.entries(services).map(([name, sdl]) => ({
    name,
    typeDefs: parse(sdl),
    url: `http://${name}.invalid`,
  }));
  const { errors, supergraphSdl } = composeServices(definitions);
  if (supergraphSdl === undefined) throw new Error((errors ?? []).map(({ message }) => message).join('\n'));
  return supergraphSdl;
}

export const testSupergraphSdl = compose({ people: peopleSdl, usage: usageSdl, feed: feedSdl });

export function createTestGraph(): TestGraph {
  const state: TestGraphState = { waiting: [], streamsOpened: 0, streamsOpen: 0, eventsMade: 0, usageFetches: 0 };
  return {
    state,
    sdl: testSupergraphSdl,
    subgraphs: {
      people: createSubgraph({
        name: 'people',
        typeDefs: peopleSdl,
        resolvers: peopleResolvers(state),
        logger: silentLogger,
      }),
      usage: createSubgraph({
        name: 'usage',
        typeDefs: usageSdl,
        resolvers: usageResolvers(state),
        logger: silentLogger,
      }),
      feed: createSubgraph({ name: 'feed', typeDefs: feedSdl, resolvers: feedResolvers(state), logger: silentLogger }),
    },
  };
}

/** Serves a subgraph over real HTTP, as its own process would. */
export async function serveOverHttp(subgraph: Subgraph): Promise<{ readonly url: string; close(): Promise<void> }> {
  const lifecycle = new Lifecycle({ logger: silentLogger, drainTimeoutMs: 100 });
  const server = createHttpServer({
    logger: silentLogger,
    metrics: createMetrics(),
    lifecycle,
    healthChecks: { [subgraph.name]: { ping: (signal: AbortSignal) => subgraph.ping(signal), required: true } },
  });
  serveSubgraph(server, subgraph, { verifyCaller: createInternalTokenVerifier(internalSecret, 'subgraph') });
  const url = await server.listen({ port: 0, host: '127.0.0.1' });
  return {
    url,
    async close() {
      server.server.closeAllConnections();
      await server.close();
    },
  };
}

async function waitFor(state: TestGraphState, signal: AbortSignal): Promise<string> {
  state.waiting.push(signal);
  await sleep(30_000, undefined, { signal });
  return 'at last';
}

function peopleResolvers(state: TestGraphState) {
  const rows = new Map<string, PersonRow>();
  for (const number of [1, 2, 3, 4, 5]) {
    const id = `p${number}`;
    rows.set(id, {
      id,
      name: `Person ${number}`,
      nick: number % 2 === 0 ? null : `nick${number}`,
      kind: number === 3 ? 'ROBOT' : 'HUMAN',
    });
  }
  const all = () => [...rows.values()];
  const next = ({ id }: PersonRow, step: number) => rows.get(`p${((Number(id.slice(1)) - 1 + step) % 5) + 1}`);
  const cat = { __typename: 'Cat', name: 'Tom', legs: 4, lives: 7 };
  const dog = { __typename: 'Dog', name: 'Rex', legs: null, owner: rows.get('p1') };
  return {
    Query: {
      person: (_: unknown, { id }: { id: string }) => rows.get(id) ?? null,
      people: (_: unknown, { first }: { first: number }) => all().slice(0, first),
      animals: () => [cat, dog, cat],
      search: () => [{ __typename: 'Person', ...rows.get('p2') }, cat, dog],
      echo: (_: unknown, { input }: { input: Record<string, unknown> }, context: ResolverContext) => ({
        ...input,
        requestId: context.requestId,
        subject: context.caller.subject,
        traceparent: context.traceparent,
      }),
      whoAsks: (_: unknown, __: unknown, { caller }: ResolverContext) => ({
        ...caller,
        microdaoIds: caller.memberships.map(({ microdaoId }) => microdaoId),
        roles: caller.memberships.map(({ role }) => role),
      }),
      nothing: () => null,
      fails: (_: unknown, { code }: { code: string | null }) => {
        if (code === null || code === undefined) throw new Error('a secret of the inside');
        throw new AppError(code as 'RATE_LIMITED', 'too much, too soon', {
          retryAfterMs: 1_500,
          details: [{ path: 'code', reason: 'asked for' }],
        });
      },
      mustNotFail: () => {
        throw new AppError('CONFLICT', 'it failed all the same');
      },
      waits: (_: unknown, __: unknown, { signal }: ResolverContext) => waitFor(state, signal),
      mood: () => 'SECRET',
    },
    Mutation: {
      rename: (_: unknown, { id, name }: { id: string; name: string }) => {
        const row = rows.get(id);
        if (row === undefined) throw new AppError('NOT_FOUND', `There is no person ${id}.`);
        row.name = name;
        return row;
      },
      failToRename: () => {
        throw new AppError('CONFLICT', 'no');
      },
    },
    Person: {
      __resolveReference: ({ id }: { id: string }) => rows.get(id) ?? null,
      best: (row: PersonRow) => next(row, 1),
      friends: (row: PersonRow, { first }: { first: number }) =>
        [1, 2, 3].slice(0, first).map((step) => next(row, step)),
    },
  };
}

function usageResolvers(state: TestGraphState) {
  return {
    Query: {
      totals: () => ({ requests: 7 }),
      slowTotals: async (_: unknown, __: unknown, { signal }: ResolverContext) => ({
        requests: (await waitFor(state, signal)).length,
      }),
    },
    Person: {
      __resolveReference: (reference: { id: string }) => {
        state.usageFetches += 1;
        return reference;
      },
      usage: ({ id }: { id: string }, { period }: { period: string }) => ({
        period,
        requests: Number(id.slice(1)) * 10,
      }),
      mustHave: ({ id }: { id: string }) => {
        if (id === 'p2') throw new AppError('DATABASE_UNAVAILABLE', 'the usage store is away', { retryAfterMs: 250 });
        return 1;
      },
      risky: ({ id }: { id: string }) => {
        if (id === 'p2') throw new AppError('FORBIDDEN', 'p2 does not share this');
        return Number(id.slice(1));
      },
      slow: (_: unknown, __: unknown, { signal }: ResolverContext) => waitFor(state, signal),
      label: ({ id, name }: { id: string; name: string }) => `${id}:${name}`,
    },
  };
}

function feedResolvers(state: TestGraphState) {
  async function* stream<Event>(signal: AbortSignal, count: number, everyMs: number, make: (number: number) => Event) {
    state.streamsOpened += 1;
    state.streamsOpen += 1;
    try {
      for (let number = 0; number < count; number += 1) {
        if (everyMs > 0) await sleep(everyMs, undefined, { signal });
        if (signal.aborted) return;
        state.eventsMade += 1;
        yield make(number);
      }
    } finally {
      state.streamsOpen -= 1;
    }
  }
  async function* never(signal: AbortSignal) {
    state.streamsOpened += 1;
    state.streamsOpen += 1;
    try {
      await sleep(600_000, undefined, { signal });
      yield { quiet: { number: 0 } };
    } finally {
      state.streamsOpen -= 1;
    }
  }
  return {
    Query: { feedStatus: () => 'fine' },
    Subscription: {
      memberTicks: {
        subscribe: (_: unknown, { count }: { count: number | null }, { signal }: ResolverContext) =>
          stream(signal, count ?? 1, 0, (number) => ({ memberTicks: { number } })),
      },
      ticks: {
        subscribe: (
          _: unknown,
          { count, everyMs }: { count: number | null; everyMs: number },
          { signal }: ResolverContext,
        ) =>
          stream(signal, count ?? Number.MAX_SAFE_INTEGER, everyMs, (number) => ({
            ticks: {
              number,
              any: { text: `data: event: next\n\n${number} é🙂`, nested: [number] },
              padding: 'x'.repeat(200),
            },
          })),
      },
      messages: {
        subscribe: (
          _: unknown,
          { count, failAt }: { count: number | null; failAt: number | null },
          { signal }: ResolverContext,
        ) =>
          stream(signal, count ?? 3, 0, (number) => ({
            messages:
              number === failAt
                ? new AppError('RATE_LIMITED', 'this one not')
                : { text: `message ${number}`, author: { id: `p${(number % 5) + 1}` } },
          })),
      },
      quiet: { subscribe: (_: unknown, __: unknown, { signal }: ResolverContext) => never(signal) },
      refused: {
        subscribe: () => {
          throw new AppError('BUDGET_EXCEEDED', 'no money left');
        },
      },
    },
  };
}
