import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import type { Caller } from '#platform/caller.ts';
import { AppError } from '#platform/errors.ts';
import { createHttpServer } from '#platform/http-server.ts';
import { Lifecycle } from '#platform/lifecycle.ts';
import { createMetrics } from '#platform/metrics.ts';
import { createSubgraph } from '#platform/subgraph-server.ts';
import type { Authenticate } from '../authentication.ts';
import type { SupergraphHolder } from '../supergraph-file.ts';
import { Supergraph } from '../supergraph.ts';
import { registerRest } from './register-rest.ts';

const readSchema = (name: string): string => readFileSync(new URL(`../../schema/${name}`, import.meta.url), 'utf8');

export interface RestTestServer {
  readonly url: string;
  readonly server: FastifyInstance;
  readonly lifecycle: Lifecycle;
  /** Puts an edited supergraph into use, as the watched file would. */
  reload(edit: (sdl: string) => string): void;
  close(): Promise<void>;
}

class TestHolder implements SupergraphHolder {
  current: Supergraph;
  readonly #callbacks = new Set<(supergraph: Supergraph) => void>();

  constructor(current: Supergraph) {
    this.current = current;
  }

  replace(supergraph: Supergraph): void {
    this.current = supergraph;
    for (const callback of this.#callbacks) callback(supergraph);
  }

  onChange(callback: (supergraph: Supergraph) => void): () => void {
    this.#callbacks.add(callback);
    return () => void this.#callbacks.delete(callback);
  }

  close(): void {
    this.#callbacks.clear();
  }
}

export const testCaller: Caller = {
  subject: 'service:tests',
  admin: true,
  memberships: [{ microdaoId: 'microdao:daarion', role: 'service' }],
};

/**
 * The real REST table, supergraph and HTTP server over an llm subgraph whose resolvers are the test's own.
 * `Bearer good` is accepted, `Bearer brief` too, for a second.
 */
export async function startRestServer(
  resolvers: Readonly<Record<string, unknown>>,
  bodyLimitBytes?: number,
): Promise<RestTestServer> {
  const logger = pino({ level: 'silent' });
  const subgraph = createSubgraph({ name: 'llm', typeDefs: readSchema('llm.graphql'), resolvers, logger });
  const load = (sdl: string) => Supergraph.fromSdl(sdl, { transports: { llm: subgraph }, logger });
  const holder = new TestHolder(load(readSchema('supergraph.graphql')));
  const lifecycle = new Lifecycle({ logger, drainTimeoutMs: 0 });
  const server = createHttpServer({
    logger,
    metrics: createMetrics(),
    lifecycle,
    healthChecks: {},
    ...(bodyLimitBytes === undefined ? {} : { bodyLimitBytes }),
  });
  registerRest(server, { supergraph: holder, authenticate, logger, lifecycle });
  await server.listen({ host: '127.0.0.1', port: 0 });
  return {
    url: `http://127.0.0.1:${(server.server.address() as AddressInfo).port}`,
    server,
    lifecycle,
    reload: (edit) => holder.replace(load(edit(readSchema('supergraph.graphql')))),
    async close() {
      const closed = server.close();
      // fetch opens connections ahead of its requests, which count as busy.
      server.server.closeAllConnections();
      await closed;
    },
  };
}

const authenticate: Authenticate = async ({ authorization }) => {
  const lifetimesMs: Record<string, number> = { 'Bearer good': 3_600_000, 'Bearer brief': 1_000 };
  const lifetimeMs = lifetimesMs[authorization ?? ''];
  if (lifetimeMs === undefined) throw new AppError('UNAUTHENTICATED', 'Send a token as `Authorization: Bearer …`.');
  return { caller: testCaller, jti: 'test', expiresAt: new Date(Date.now() + lifetimeMs) };
};
