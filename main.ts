/** Everything in one process and on one port: `npm start`. */
import { readEmbeddedConfig, type EmbeddedConfig } from './config.ts';
import { openGateway } from './gateway/main.ts';
import { createInProcessTransport } from './platform/in-process-transport.ts';
import { ConfigError, readEnvironment } from './platform/config.ts';
import { openDataFolder, type DataFolder } from './platform/data-folder.ts';
import { openDatabase, waitForDatabase } from './platform/database.ts';
import { startEmbeddedPostgres } from './platform/embedded-postgres.ts';
import { Lifecycle, shutdownOnSignals } from './platform/lifecycle.ts';
import { createLogger, type Logger } from './platform/logging.ts';
import { createMetrics } from './platform/metrics.ts';
import { migrate } from './platform/migrate.ts';
import { migrations } from './platform/migrations/migrations.ts';
import { runProcess } from './platform/run-process.ts';
import { issueToken } from './platform/tokens.ts';
import { openLlm } from './subgraphs/llm/main.ts';

async function start(): Promise<void> {
  const config = readEmbeddedConfig(readEnvironment());
  const logger = createLogger({ name: 'supergraph', level: config.LOG_LEVEL });
  const metrics = createMetrics();
  const lifecycle = new Lifecycle({ logger });

  const dataFolder = await openDataFolder(config.DATA_DIR);
  lifecycle.onClose('data folder', () => dataFolder.close());
  shutdownOnSignals(lifecycle, logger);

  const { connectionString, embedded } = await openPostgres(config, dataFolder, lifecycle, logger);
  const database = await openDatabase({
    connectionString,
    schema: 'auth',
    entities: [],
    poolSizeMax: 2,
    embedded,
    logger,
  });
  lifecycle.onClose('database', () => database.close());
  await migrate(database, migrations);

  const llm = await openLlm({ config, connectionString, embedded, migrateFirst: true, logger, metrics, lifecycle });

  const authSecret = config.AUTH_SECRET ?? (await dataFolder.secret('auth-secret'));
  const server = await openGateway({
    config: { ...config, AUTH_SECRET: authSecret },
    production: config.NODE_ENV === 'production',
    internalSecret: config.INTERNAL_SECRET ?? (await dataFolder.secret('internal-secret')),
    transports: { llm: createInProcessTransport(llm) },
    database,
    logger,
    metrics,
    lifecycle,
  });
  const address = await server
    .listen({ host: config.HOST, port: config.PORT })
    .catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'EADDRINUSE'
        ? new ConfigError([
            {
              name: 'PORT',
              reason: `${config.PORT} is in use on ${config.HOST}; stop what listens there, or set another one`,
            },
          ])
        : error;
    });
  await greet(address, dataFolder.isNew ? authSecret : undefined, config);
}

async function openPostgres(config: EmbeddedConfig, dataFolder: DataFolder, lifecycle: Lifecycle, logger: Logger) {
  if (config.DATABASE_URL !== undefined) {
    await waitForDatabase(config.DATABASE_URL, { signal: lifecycle.signal });
    return { connectionString: config.DATABASE_URL, embedded: false };
  }
  const postgres = await startEmbeddedPostgres({ dataFolder: dataFolder.path, logger });
  lifecycle.onClose('embedded Postgres', () => postgres.close());
  return { connectionString: postgres.connectionString, embedded: true };
}

/**
 * What a person who typed `npm start` needs next; nothing of it goes to the log.
 *
 * @param secret given on the first start, which shows a token
 */
async function greet(address: string, secret: string | undefined, config: EmbeddedConfig): Promise<void> {
  process.stdout.write(`
agent-supergraph is ready.

  GraphQL    ${address}/graphql   (a browser gets GraphiQL)
  REST       ${address}/docs
  OpenAI     ${address}/v1   as base URL of any OpenAI client

${secret === undefined ? howToGetToken : await firstToken(secret, config)}

Try it:

  curl -s ${address}/v1/chat/completions -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \\
    -d '{"model": "gpt-4", "messages": [{"role": "user", "content": "Who are you?"}]}'

`);
}

const howToGetToken = `A token:

  export TOKEN=$(npm run --silent token -- --role admin --microdao microdao:home)`;

async function firstToken(secret: string, config: EmbeddedConfig): Promise<string> {
  const { token } = await issueToken(
    { secret, issuer: config.AUTH_ISSUER, audience: config.AUTH_AUDIENCE },
    {
      subject: 'user:admin',
      admin: true,
      memberships: [{ microdaoId: 'microdao:home', role: 'operator' }],
      timeToLiveMs: 30 * 24 * 60 * 60 * 1000,
    },
  );
  return `An admin token for 30 days (others with: npm run --silent token -- --help):

  export TOKEN=${token}`;
}

await runProcess(start);
