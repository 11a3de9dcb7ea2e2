import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { emptyDatabaseFolder } from '#test/test-database.ts';
import { findEmbeddedPostgres, startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.ts';

let folder: string;
let server: EmbeddedPostgres;
/** One that waits for nobody, apart from the other: a busy machine must not look like a slow client. */
let impatientFolder: string;
let impatient: EmbeddedPostgres;
const clients: pg.Client[] = [];

async function open(options: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.connectionString, ...options });
  client.on('error', () => undefined);
  await client.connect();
  clients.push(client);
  return client;
}

const socketPathOf = (connectionString: string): string =>
  path.join(new URL(connectionString).searchParams.get('host') ?? '', '.s.PGSQL.5432');

beforeAll(async () => {
  folder = await emptyDatabaseFolder();
  server = await startEmbeddedPostgres({
    dataFolder: folder,
    statementTimeoutMs: 3_000,
    idleTransactionTimeoutMs: 1_000,
  });
  impatientFolder = await emptyDatabaseFolder();
  impatient = await startEmbeddedPostgres({
    dataFolder: impatientFolder,
    statementTimeoutMs: 3_000,
    idleTransactionTimeoutMs: 2_000,
  });
  for (const { connectionString } of [server, impatient]) {
    const client = await open({ connectionString });
    await client.query('create table public.things (id int primary key, text text)');
  }
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end().catch(() => undefined);
});
afterAll(async () => {
  await Promise.all([server.close(), impatient.close()]);
  for (const each of [folder, impatientFolder]) await rm(each, { recursive: true, force: true });
});

describe('transactions', () => {
  test('are rolled back when their connection dies in the midst of them', async () => {
    const dying = await open();
    const other = await open();
    await dying.query('begin');
    await dying.query(`insert into public.things values (1, 'lost')`);
    const waiting = other.query('select count(*)::int as count from public.things where id = 1');
    (dying as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    expect((await waiting).rows).toEqual([{ count: 0 }]);
  });

  test('are rolled back also when they were implicit and their connection died before Sync', async () => {
    const raw = connect(socketPathOf(server.connectionString));
    await once(raw, 'connect');
    raw.write(startup);
    await once(raw, 'data');
    const insert = extended(`insert into public.things values (2, 'lost')`);
    raw.write(Buffer.concat([insert, message('H', '')]));
    await once(raw, 'data');
    raw.destroy();
    const { rows } = await (await open()).query('select count(*)::int as count from public.things where id = 2');
    expect(rows).toEqual([{ count: 0 }]);
  });

  test('that are left idle are ended, so that others get their turn', async () => {
    const { connectionString } = impatient;
    const sleeper = await open({ connectionString });
    const other = await open({ connectionString });
    await sleeper.query('begin');
    await sleeper.query(`insert into public.things values (3, 'lost')`);
    const { rows } = await other.query('select count(*)::int as count from public.things where id = 3');
    expect(rows).toEqual([{ count: 0 }]);
    await expect(sleeper.query('commit')).rejects.toThrow();
  });

  test('survive errors the way PostgreSQL lets them', async () => {
    const client = await open();
    await client.query('begin');
    await client.query('savepoint here');
    await expect(client.query('select 1/0')).rejects.toThrow('division by zero');
    await expect(client.query('select 1')).rejects.toThrow('current transaction is aborted');
    await client.query('rollback to savepoint here');
    await client.query(`insert into public.things values (4, 'kept')`);
    await client.query('commit');
    expect((await client.query('select text from public.things where id = 4')).rows).toEqual([{ text: 'kept' }]);
  });
});

describe('what many connections on one session cannot have', () => {
  test('named prepared statements are refused with the reason, and the connection goes on', async () => {
    const client = await open();
    await expect(client.query({ name: 'mine', text: 'select 1', values: [] })).rejects.toThrow(
      'named prepared statements do not work here',
    );
    expect((await client.query('select 2 as two')).rows).toEqual([{ two: 2 }]);
  });

  test('a statement of another connection is never run by mistake', async () => {
    const raw = connect(socketPathOf(server.connectionString));
    await once(raw, 'connect');
    raw.write(startup);
    await once(raw, 'data');
    raw.write(Buffer.concat([message('P', '\0select 1\0\0\0'), message('S', '')]));
    await once(raw, 'data');
    await (await open()).query('select $1::text', ['secret of another']);
    raw.write(Buffer.concat([message('B', '\0\0\0\0\0\0\0\0'), message('E', '\0\0\0\0\0'), message('S', '')]));
    const [answer] = (await once(raw, 'data')) as [Buffer];
    expect(answer.toString('latin1')).toContain('must be prepared and run in one go');
    raw.destroy();
  });

  test('COPY FROM STDIN is an error, simple and extended, and takes nobody down', async () => {
    const client = await open();
    await expect(client.query('copy public.things from stdin')).rejects.toThrow('COPY');
    await expect(
      client.query({ text: 'copy public.things from stdin', queryMode: 'extended' } as pg.QueryConfig),
    ).rejects.toThrow('COPY');
    expect((await client.query('select 3 as three')).rows).toEqual([{ three: 3 }]);
  });
});

describe('the protocol', () => {
  test('fetches in portions, with others waiting meanwhile', async () => {
    const client = await open();
    const other = await open();
    // `rows` makes pg fetch with Execute and Flush, portion by portion.
    const portions = client.query({
      text: 'select i from generate_series(1, 1000) i',
      values: [],
      rows: 100,
    } as pg.QueryConfig);
    const [{ rows }, answer] = await Promise.all([portions, other.query('select 5 as five')]);
    expect(rows).toHaveLength(1000);
    expect(answer.rows).toEqual([{ five: 5 }]);
  });

  test('carries rows of many megabytes both ways', async () => {
    const client = await open();
    const big = 'ä'.repeat(8 * 1024 * 1024);
    const { rows } = await client.query('select $1::text as big, length($1) as length', [big]);
    expect(rows[0].length).toBe(big.length);
    expect(rows[0].big === big).toBe(true);
  });

  test('cancels what waits, and lets what runs go on', async () => {
    const owner = await open();
    const waiting = await open();
    await owner.query('begin');
    const outcome = waiting.query('select 1').catch((error: unknown) => error);
    await delay(50);
    const { processID, secretKey } = waiting as unknown as { processID: number; secretKey: number };
    const cancel = Buffer.alloc(16);
    [16, 80877102, processID, secretKey].forEach((word, index) => cancel.writeInt32BE(word, index * 4));
    connect(socketPathOf(server.connectionString)).end(cancel);
    expect(await outcome).toMatchObject({ code: '57014', message: 'canceling statement due to user request' });
    await owner.query('commit');
    expect((await waiting.query('select 6 as six')).rows).toEqual([{ six: 6 }]);
  });

  test('answers nonsense with an error and the end of that connection alone', async () => {
    const bystander = await open();
    for (const nonsense of ['GET / HTTP/1.1\r\n\r\n', '\0\0\0\x08\0\x02\0\0']) {
      const raw = connect(socketPathOf(server.connectionString));
      raw.on('error', () => undefined).resume();
      raw.write(Buffer.from(nonsense, 'latin1'));
      await once(raw, 'close');
    }
    expect((await bystander.query('select 7 as seven')).rows).toEqual([{ seven: 7 }]);
  });

  test('names the one database there is when asked for another', async () => {
    await expect(open({ connectionString: server.connectionString.replace('/postgres?', '/other?') })).rejects.toThrow(
      'database "other" does not exist',
    );
  });
});

describe('a statement that runs too long', () => {
  test('is ended by a restart that keeps what was committed', async () => {
    const { connectionString } = impatient;
    const client = await open({ connectionString });
    await client.query(`insert into public.things values (8, 'kept')`);
    await expect(client.query('select count(*) from generate_series(1, 1000000000)')).rejects.toThrow();
    await expect
      .poll(
        async () =>
          (await (await open({ connectionString })).query('select text from public.things where id = 8')).rows,
        {
          timeout: 15_000,
          interval: 200,
        },
      )
      .toEqual([{ text: 'kept' }]);
  }, 40_000);
});

describe('the server and its folder', () => {
  test('are found by another process while they run, on a socket that is their user’s alone', async () => {
    expect(await findEmbeddedPostgres(folder)).toBe(server.connectionString);
    const socketPath = socketPathOf(server.connectionString);
    expect((await stat(path.dirname(socketPath))).mode & 0o777).toBe(0o700);
    expect(Buffer.byteLength(socketPath)).toBeLessThanOrEqual(100);
    const script = `
      const { default: pg } = await import('pg');
      const { findEmbeddedPostgres } = await import(${JSON.stringify(path.resolve('platform/embedded-postgres.ts'))});
      const client = new pg.Client(await findEmbeddedPostgres(${JSON.stringify(folder)}));
      await client.connect(); console.log((await client.query('select 9 as nine')).rows[0].nine); await client.end();`;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [answer] = (await once(child.stdout, 'data')) as [Buffer];
    expect(answer.toString().trim()).toBe('9');
  });

  test('keep everything over a close, roll back what is open, and are not found afterwards', async () => {
    const own = path.join(await emptyDatabaseFolder(), 'x'.repeat(150));
    await mkdir(own, { recursive: true });
    await rename(path.join(own, '..', 'postgres'), path.join(own, 'postgres'));
    const first = await startEmbeddedPostgres({ dataFolder: own });
    const client = new pg.Client(first.connectionString);
    client.on('error', () => undefined);
    await client.connect();
    await client.query('create table public.kept (id int)');
    await client.query('begin');
    await client.query('insert into public.kept values (1)');
    await client.query('commit; begin; insert into public.kept values (2)');
    await first.close();
    expect(await findEmbeddedPostgres(own)).toBeUndefined();

    const second = await startEmbeddedPostgres({ dataFolder: own });
    const again = new pg.Client(second.connectionString);
    await again.connect();
    expect((await again.query('select id from public.kept')).rows).toEqual([{ id: 1 }]);
    await again.end();
    await second.close();
    await rm(path.dirname(own), { recursive: true, force: true });
  }, 40_000);

  test.each([
    ['another version', { PG_VERSION: '15\n' }, /was written by PostgreSQL 15, this is PostgreSQL 18/],
    ['files without a version', { 'some-file': 'x' }, /is damaged: it has files but no PG_VERSION/],
    ['a version without its files', { PG_VERSION: '18\n' }, /could not be opened .* restore a backup/],
  ])('that hold %s say so in one line', async (_, files, reason) => {
    const damaged = await mkdtemp(path.join(tmpdir(), 'asg-damaged-'));
    await mkdir(path.join(damaged, 'postgres'));
    for (const [name, content] of Object.entries(files)) await writeFile(path.join(damaged, 'postgres', name), content);
    const failure = await startEmbeddedPostgres({ dataFolder: damaged }).catch((error: Error) => error);
    expect((failure as Error).message).toMatch(reason);
    expect((failure as Error).message).not.toContain('\n');
    await rm(damaged, { recursive: true, force: true });
  });
});

function message(type: string, body: string): Buffer {
  const bytes = Buffer.from(body, 'latin1');
  const header = Buffer.alloc(5);
  header.write(type, 'latin1');
  header.writeInt32BE(bytes.length + 4, 1);
  return Buffer.concat([header, bytes]);
}

/** Parse, Bind and Execute of a statement without parameters. */
const extended = (sql: string): Buffer =>
  Buffer.concat([message('P', `\0${sql}\0\0\0`), message('B', '\0\0\0\0\0\0\0\0'), message('E', '\0\0\0\0\0')]);

const startup = ((): Buffer => {
  const body = Buffer.from('\0\x03\0\0user\0postgres\0database\0postgres\0\0', 'latin1');
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([length, body]);
})();
