/**
 * Databases for tests, one fresh for each test file: the embedded Postgres always, a real one when TEST_DATABASE_URL is
 * set. A suite written for both is run over both:
 *
 *     describe.each(testDatabaseNames)('ledger on %s', (name) => {
 *       let fixture: TestDatabase;
 *       beforeAll(async () => { fixture = await openTestDatabase(name); });
 *       afterAll(() => fixture.close());
 */
import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '#platform/embedded-postgres.ts';

export type TestDatabaseName = 'embedded' | 'postgres';

export interface TestDatabase {
  readonly name: TestDatabaseName;
  readonly connectionString: string;
  readonly embedded: boolean;
  /** Where the embedded one keeps its files. */
  readonly dataFolder: string | undefined;
  close(): Promise<void>;
}

const serverUrl = process.env['TEST_DATABASE_URL'];

/** For a title of a skipped suite: `describe.skipIf(realPostgresSkipped)`. */
export const realPostgresSkipped = serverUrl === undefined || serverUrl === '';

if (realPostgresSkipped)
  console.info('TEST_DATABASE_URL is not set: skipped on a real PostgreSQL, run on the embedded one only');

export const testDatabaseNames: readonly TestDatabaseName[] = realPostgresSkipped
  ? ['embedded']
  : ['embedded', 'postgres'];

/** All of them, for a suite that goes through them itself. */
export async function openTestDatabases(): Promise<TestDatabase[]> {
  return Promise.all(testDatabaseNames.map((name) => openTestDatabase(name)));
}

/** A fresh, empty database of this kind. Close it in `afterAll`. */
export async function openTestDatabase(name: TestDatabaseName): Promise<TestDatabase> {
  return name === 'embedded' ? openEmbedded() : openOnServer(serverUrl ?? '');
}

/** A data folder with an empty embedded database in it that nobody has opened; the caller removes it. */
export async function emptyDatabaseFolder(): Promise<string> {
  const dataFolder = await mkdtemp(path.join(tmpdir(), 'asg-test-'));
  await cp(await template(), path.join(dataFolder, 'postgres'), { recursive: true });
  return dataFolder;
}

async function openEmbedded(): Promise<TestDatabase> {
  const dataFolder = await emptyDatabaseFolder();
  // Tests end with their process; nothing here has to outlive a power failure.
  const server = await startEmbeddedPostgres({ dataFolder, flushCommits: false });
  return {
    name: 'embedded',
    connectionString: server.connectionString,
    embedded: true,
    dataFolder,
    async close() {
      await server.close();
      await rm(dataFolder, { recursive: true, force: true });
    },
  };
}

/** An empty database folder to copy: making one takes seconds, copying it a tenth of one. Made once a machine and user. */
async function template(): Promise<string> {
  const place = path.join(tmpdir(), `asg-test-template-18-${userInfo().username}`);
  const exists = await stat(path.join(place, 'PG_VERSION')).catch(() => undefined);
  if (exists !== undefined) return place;
  const making = await mkdtemp(path.join(tmpdir(), 'asg-test-making-'));
  const server = await startEmbeddedPostgres({ dataFolder: making, flushCommits: false });
  await server.close();
  // Another test file may have been quicker; its template is as good.
  await rename(path.join(making, 'postgres'), place).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  });
  await rm(making, { recursive: true, force: true });
  return place;
}

/** A fresh database on the real PostgreSQL, for what runs on nothing else. @throws when TEST_DATABASE_URL is not set */
export async function createTestDatabase(): Promise<TestDatabase> {
  if (realPostgresSkipped) throw new Error('TEST_DATABASE_URL is not set');
  return openTestDatabase('postgres');
}

async function openOnServer(url: string): Promise<TestDatabase> {
  const database = `test_${randomBytes(8).toString('hex')}`;
  await onServer(url, `create database ${database}`);
  const own = new URL(url);
  own.pathname = `/${database}`;
  return {
    name: 'postgres',
    connectionString: own.href,
    embedded: false,
    dataFolder: undefined,
    close: () => onServer(url, `drop database ${database} with (force)`),
  };
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
