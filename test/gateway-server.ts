/** A whole gateway in front of the test subgraphs, on real ports, for the gateway's tests. */
import type { FastifyInstance } from 'fastify';
import { writeFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { createHttpServer } from '#platform/http-server.ts';
import { createInternalTokenSigner, createInternalTokenVerifier } from '#platform/internal-token.ts';
import { Lifecycle } from '#platform/lifecycle.ts';
import { createMetrics } from '#platform/metrics.ts';
import { createTokenVerifier, issueToken } from '#platform/tokens.ts';
import type { SubgraphTransport } from '#platform/subgraph-transport.ts';
import { createAuthenticator } from '../gateway/authentication.ts';
import { registerGraphQL, type GraphQLServerOptions } from '../gateway/graphql-server.ts';
import { openSupergraphFile, type SupergraphHolder } from '../gateway/supergraph-file.ts';
import type { SupergraphOptions } from '../gateway/supergraph.ts';
import { createHttpTransport } from '#platform/http-transport.ts';
import { createInProcessTransport } from '#platform/in-process-transport.ts';
import { createTestGraph, internalSecret, serveOverHttp, silentLogger, type TestGraph } from './gateway-subgraphs.ts';

const authSecret = 'the secret that signs test tokens, 32 characters';

export interface TestGateway {
  readonly url: string;
  readonly graph: TestGraph;
  readonly server: FastifyInstance;
  readonly lifecycle: Lifecycle;
  readonly supergraph: SupergraphHolder;
  readonly supergraphPath: string;
  /** The gateway's log lines, parsed. */
  readonly logLines: Record<string, unknown>[];
  readonly revoked: Set<string>;
  /** An admin's token. */
  token(timeToLiveMs?: number): Promise<string>;
  tokenWithId(): Promise<{ token: string; jti: string }>;
  close(): Promise<void>;
}

export interface TestGatewayOptions {
  readonly overHttp?: boolean;
  readonly production?: boolean;
  readonly graphql?: Partial<GraphQLServerOptions>;
  readonly supergraph?: Partial<SupergraphOptions>;
  readonly bodyLimitBytes?: number;
}

export async function startTestGateway({
  overHttp = true,
  production = false,
  graphql = {},
  supergraph = {},
  bodyLimitBytes,
}: TestGatewayOptions = {}): Promise<TestGateway> {
  const graph = createTestGraph();
  const closers: (() => Promise<unknown> | unknown)[] = [];
  const transports: Record<string, SubgraphTransport> = {};
  const signCaller = createInternalTokenSigner(internalSecret, 'subgraph');
  for (const [name, subgraph] of Object.entries(graph.subgraphs)) {
    if (!overHttp) {
      transports[name] = createInProcessTransport(subgraph);
      continue;
    }
    const served = await serveOverHttp(subgraph);
    const transport = createHttpTransport({ url: served.url, name, signCaller, logger: silentLogger });
    transports[name] = transport;
    closers.push(
      () => served.close(),
      () => transport.close(),
    );
  }

  const logLines: Record<string, unknown>[] = [];
  const logger = pino(
    { level: 'debug' },
    { write: (line: string) => void logLines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const supergraphPath = join(mkdtempSync(join(tmpdir(), 'supergraph-')), 'supergraph.graphql');
  writeFileSync(supergraphPath, graph.sdl);
  const holder = await openSupergraphFile({ path: supergraphPath, transports, logger, ...supergraph });
  const revoked = new Set<string>();
  const authenticate = createAuthenticator({
    verifyToken: createTokenVerifier({ secret: authSecret }),
    verifyInternal: createInternalTokenVerifier(internalSecret, 'supergraph'),
    isRevoked: (jti) => revoked.has(jti),
  });
  const lifecycle = new Lifecycle({ logger: silentLogger, drainTimeoutMs: 300 });
  const server = createHttpServer({
    logger,
    metrics: createMetrics(),
    lifecycle,
    healthChecks: {},
    ...(bodyLimitBytes === undefined ? {} : { bodyLimitBytes }),
  });
  await registerGraphQL(server, { supergraph: holder, authenticate, production, logger, lifecycle, ...graphql });
  const url = await server.listen({ port: 0, host: '127.0.0.1' });

  const issue = (timeToLiveMs = 3_600_000) =>
    issueToken({ secret: authSecret }, { subject: 'user:root', admin: true, memberships: [], timeToLiveMs });
  return {
    url,
    graph,
    server,
    lifecycle,
    supergraph: holder,
    supergraphPath,
    logLines,
    revoked,
    token: async (timeToLiveMs) => (await issue(timeToLiveMs)).token,
    tokenWithId: () => issue(),
    async close() {
      holder.close();
      server.server.closeAllConnections();
      await server.close();
      for (const close of closers.toReversed()) await close();
    },
  };
}
