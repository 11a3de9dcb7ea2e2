import { parseArgs } from 'node:util';
import { readCommandConfig } from './config.ts';
import { ConfigError, readEnvironment } from './platform/config.ts';
import { openDatabase, waitForDatabase } from './platform/database.ts';
import { migrate, pendingMigrations, type Migration } from './platform/migrate.ts';
import { AUTH_SCHEMA, migrations as authMigrations } from './platform/migrations/migrations.ts';
import { runProcess } from './platform/run-process.ts';
import { migrations as llmMigrations } from './subgraphs/llm/migrations/migrations.ts';

const help = `Brings the database at DATABASE_URL up to date: the schemas of every part, each migration in a transaction of its own.

  npm run migrate
  npm run migrate -- --check    changes nothing; ends with 1 when something is to be applied

Safe to run several times and from several places at once. The embedded start migrates by itself and needs no DATABASE_URL.
`;

/** One row for each part that keeps something in Postgres. */
const parts: readonly { readonly schema: string; readonly migrations: readonly Migration[] }[] = [
  { schema: AUTH_SCHEMA, migrations: authMigrations },
  { schema: 'llm', migrations: llmMigrations },
];

/** An index on a large table takes its time. */
const STATEMENT_TIMEOUT_MS = 60 * 60 * 1000; // 1 hour

function readArguments(): { help: boolean; check: boolean } {
  try {
    const options = { help: { type: 'boolean', default: false }, check: { type: 'boolean', default: false } } as const;
    return parseArgs({ options, allowPositionals: false }).values;
  } catch (error) {
    throw new ConfigError([{ name: 'arguments', reason: `${(error as Error).message}; see --help` }]);
  }
}

const tell = (line: string): boolean => process.stdout.write(`${line}\n`);

await runProcess(async () => {
  const flags = readArguments();
  if (flags.help) {
    process.stdout.write(help);
    return;
  }
  const { DATABASE_URL: connectionString } = readCommandConfig(readEnvironment());
  if (connectionString === undefined) {
    throw new ConfigError([
      { name: 'DATABASE_URL', reason: 'is required; the embedded start (npm start) migrates by itself' },
    ]);
  }
  await waitForDatabase(connectionString);
  for (const { schema, migrations } of parts) {
    const database = await openDatabase({
      connectionString,
      schema,
      poolSizeMax: 1,
      embedded: false,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    });
    try {
      if (flags.check) {
        const pending = await pendingMigrations(database, migrations);
        for (const name of pending) tell(`${schema}: ${name} is to be applied`);
        if (pending.length > 0) process.exitCode = 1;
        else tell(`${schema}: up to date`);
      } else {
        const applied = await migrate(database, migrations, {
          onApplied: (name) => tell(`${schema}: applied ${name}`),
        });
        if (applied.length === 0) tell(`${schema}: up to date`);
      }
    } finally {
      await database.close();
    }
  }
});
