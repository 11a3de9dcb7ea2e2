import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import { readEnvironment } from '#platform/config.ts';
import { openDatabase, waitForDatabase, type Database } from '#platform/database.ts';
import { createHttpServer } from '#platform/http-server.ts';
import { createInternalTokenSigner, createInternalTokenVerifier } from '#platform/internal-token.ts';
import { Lifecycle, shutdownOnSignals } from '#platform/lifecycle.ts';
import { createLogger, type Logger } from '#platform/logging.ts';
import { createMetrics, type Metrics } from '#platform/metrics.ts';
import { runProcess } from '#platform/run-process.ts';
import type { SubgraphTransport } from '#platform/subgraph-transport.ts';
import { RevokedTokens } from '#platform/token-revocation.ts';
import { createTokenVerifier } from '#platform/tokens.ts';
import { createAuthenticator } from './authentication.ts';
import { readGatewayServiceConfig, type GatewayConfig } from './config.ts';
import { registerGraphQL } from './graphql-server.ts';
import { registerRest } from './rest/register-rest.ts';
import { openSupergraphFile } from './supergraph-file.ts';
import { createHttpTransport } from '#platform/http-transport.ts';

export interface GatewayOptions {
  readonly config: GatewayConfig;
  readonly production: boolean;
  readonly internalSecret: string;
  /** One for each subgraph, by its name in the supergraph. */
  readonly transports: Readonly<Record<string, SubgraphTransport>>;
  /** Holds the revoked tokens. */
  readonly database: Database;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly lifecycle: Lifecycle;
}

const supergraphPath = fileURLToPath(new URL('../schema/supergraph.graphql', import.meta.url));

/** Builds the gateway on transports that may be in this process or elsewhere. The caller listens. */
export async function openGateway(options: GatewayOptions): Promise<FastifyInstance> {
  const { config, production, internalSecret, transports, database, logger, metrics, lifecycle } = options;

  const revokedTokens = await RevokedTokens.open({ database, logger });
  lifecycle.onClose('revoked tokens', () => revokedTokens.close());

  const authenticate = createAuthenticator({
    verifyToken: createTokenVerifier({
      secret: config.AUTH_SECRET,
      jwksUrl: config.AUTH_JWKS_URL,
      issuer: config.AUTH_ISSUER,
      audience: config.AUTH_AUDIENCE,
    }),
    verifyInternal: createInternalTokenVerifier(internalSecret, 'supergraph'),
    isRevoked: (jti) => revokedTokens.has(jti),
  });

  const supergraph = await openSupergraphFile({
    path: supergraphPath,
    transports,
    fetchDeadlineMs: config.SUBGRAPH_TIMEOUT_MS,
    logger,
  });
  lifecycle.onClose('supergraph file', () => supergraph.close());

  const pings = Object.entries(transports).map(([name, transport]) => [
    name,
    { ping: (signal: AbortSignal) => transport.ping(signal), required: false },
  ]);
  const server = createHttpServer({
    logger,
    metrics,
    lifecycle,
    bodyLimitBytes: config.BODY_LIMIT_BYTES,
    healthChecks: {
      database: { ping: (signal) => database.ping(signal), required: true },
      ...Object.fromEntries(pings),
    },
  });
  await registerGraphQL(server, { supergraph, authenticate, production, logger, lifecycle });
  registerRest(server, { supergraph, authenticate, logger, lifecycle });
  lifecycle.onClose('gateway', () => server.close());
  return server;
}

async function start(): Promise<void> {
  const config = readGatewayServiceConfig(readEnvironment());
  const logger = createLogger({ name: 'gateway', level: config.LOG_LEVEL });
  const metrics = createMetrics();
  const lifecycle = new Lifecycle({ logger });
  shutdownOnSignals(lifecycle, logger);

  await waitForDatabase(config.DATABASE_URL, { signal: lifecycle.signal });
  const database = await openDatabase({
    connectionString: config.DATABASE_URL,
    schema: 'auth',
    entities: [],
    poolSizeMax: 2,
    embedded: false,
    logger,
  });
  lifecycle.onClose('database', () => database.close());

  const signCaller = createInternalTokenSigner(config.INTERNAL_SECRET, 'subgraph');
  const transports = { llm: createHttpTransport({ url: config.LLM_URL, signCaller, logger }) };
  for (const [name, transport] of Object.entries(transports))
    lifecycle.onClose(`transport to ${name}`, () => transport.close());

  const production = config.NODE_ENV === 'production';
  const server = await openGateway({
    config,
    production,
    internalSecret: config.INTERNAL_SECRET,
    transports,
    database,
    logger,
    metrics,
    lifecycle,
  });
  const address = await server.listen({ host: config.HOST, port: config.PORT });
  logger.info({ address }, 'gateway listens');
}

if (import.meta.main) await runProcess(start);
