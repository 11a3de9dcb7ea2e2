import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { readEnvironment } from '#platform/config.ts';
import { openDatabase, waitForDatabase } from '#platform/database.ts';
import { createHttpServer } from '#platform/http-server.ts';
import { createInternalTokenVerifier } from '#platform/internal-token.ts';
import { Lifecycle, shutdownOnSignals } from '#platform/lifecycle.ts';
import { createLogger, type Logger } from '#platform/logging.ts';
import { createMetrics, type Metrics } from '#platform/metrics.ts';
import { migrate } from '#platform/migrate.ts';
import { runProcess } from '#platform/run-process.ts';
import { serveSubgraph } from '#platform/subgraph-http.ts';
import { createSubgraph, type Subgraph } from '#platform/subgraph-server.ts';
import { providerSettings, readLlmServiceConfig, type LlmConfig } from './config.ts';
import { entities } from './entities.ts';
import { createLlmMetrics } from './llm-metrics.ts';
import { migrations } from './migrations/migrations.ts';
import { loadModels, outputTokensMaxOf } from './model-catalogue-file.ts';
import { createModelCatalogue } from './model-catalogue.ts';
import { ModelPrices } from './model-prices.ts';
import { createProviders } from './providers/create-providers.ts';
import { createResolvers } from './resolvers.ts';
import { UsageLedger } from './usage-ledger.ts';
import { UsageRollup } from './usage-rollup.ts';

export interface LlmOptions {
  readonly config: LlmConfig;
  readonly connectionString: string;
  /** The embedded Postgres of this process: nobody else has open rows in it. */
  readonly embedded: boolean;
  /** In the services layout `npm run migrate` runs before the parts start. */
  readonly migrateFirst: boolean;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly lifecycle: Lifecycle;
}

const schemaPath = fileURLToPath(new URL('../../schema/llm.graphql', import.meta.url));
const poolSizeMax = 10;

/** Builds the subgraph; what it opened is closed by the lifecycle, in reverse. */
export async function openLlm(options: LlmOptions): Promise<Subgraph> {
  const { config, connectionString, embedded, logger, metrics, lifecycle } = options;
  const database = await openDatabase({ connectionString, schema: 'llm', entities, poolSizeMax, embedded, logger });
  lifecycle.onClose('llm database', () => database.close());
  if (options.migrateFirst) await migrate(database, migrations);

  const models = loadModels(config.LLM_MODELS_FILE);
  const { providers, localModels } = createProviders({
    ...providerSettings(config),
    outputTokensMax: outputTokensMaxOf(models, 'anthropic'),
  });
  lifecycle.onClose('providers', () => Promise.all([...providers.values()].map((provider) => provider.close())));

  const prices = await ModelPrices.open({ database, logger });
  lifecycle.onClose('model prices', () => prices.close());
  const catalogue = createModelCatalogue({
    models,
    configuredProviders: providers.keys(),
    localModels,
    priceOverride: (provider, name) => prices.get(provider, name),
    embeddingModel: config.EMBEDDING_MODEL,
  });

  const ledger = new UsageLedger(database, logger);
  await ledger.start({ takeOverAll: embedded });
  lifecycle.onClose('usage ledger', () => ledger.close());
  const rollup = UsageRollup.start({ database, logger });
  lifecycle.onClose('usage rollup', () => rollup.close());

  const resolvers = createResolvers({
    database,
    ledger,
    catalogue,
    providers,
    prices,
    metrics: createLlmMetrics(metrics.registry, () => ledger.openRequests),
    logger,
    settings: { requestTimeoutMs: config.LLM_REQUEST_TIMEOUT_MS, reconnectGraceMs: 1_000 },
  });
  return createSubgraph({
    name: 'llm',
    typeDefs: await readFile(schemaPath, 'utf8'),
    resolvers,
    logger,
    ping: (signal) => database.ping(signal),
  });
}

async function start(): Promise<void> {
  const config = readLlmServiceConfig(readEnvironment());
  const logger = createLogger({ name: 'llm', level: config.LOG_LEVEL });
  const metrics = createMetrics();
  const lifecycle = new Lifecycle({ logger });
  shutdownOnSignals(lifecycle, logger);

  await waitForDatabase(config.DATABASE_URL, { signal: lifecycle.signal });
  const subgraph = await openLlm({
    config,
    connectionString: config.DATABASE_URL,
    embedded: false,
    migrateFirst: false,
    logger,
    metrics,
    lifecycle,
  });
  const server = createHttpServer({
    logger,
    metrics,
    lifecycle,
    healthChecks: { database: { ping: (signal) => subgraph.ping(signal), required: true } },
  });
  serveSubgraph(server, subgraph, { verifyCaller: createInternalTokenVerifier(config.INTERNAL_SECRET, 'subgraph') });
  lifecycle.onClose('server', () => server.close());
  const address = await server.listen({ host: config.HOST, port: config.PORT });
  logger.info({ address }, 'llm listens');
}

if (import.meta.main) await runProcess(start);
