import { createServer, type Server } from 'node:net';
import { defineEntity, p } from '@mikro-orm/core';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestDatabase, testDatabaseNames, type TestDatabase } from '#test/test-database.ts';
import { isDatabaseUnavailable } from './database-errors.ts';
import { openDatabase, waitForDatabase, type Database } from './database.ts';
import { AppError } from './errors.ts';

const Note = defineEntity({
  name: 'Note',
  tableName: 'notes',
  properties: { id: p.integer().primary(), text: p.text(), writtenAt: p.datetime().columnType('timestamptz') },
});

describe.each(testDatabaseNames)('a database, %s', (name) => {
  let fixture: TestDatabase;
  let database: Database;
  const open = (options: { statementTimeoutMs?: number; poolSizeMax?: number } = {}): Promise<Database> =>
    openDatabase({
      connectionString: fixture.connectionString,
      schema: 'notes',
      entities: [Note],
      poolSizeMax: 4,
      embedded: fixture.embedded,
      ...options,
    });
  beforeAll(async () => {
    fixture = await openTestDatabase(name);
    await waitForDatabase(fixture.connectionString);
    database = await open();
    await database.sql('create schema notes');
    await database.sql(
      'create table notes.notes (id int primary key, text text not null, written_at timestamptz not null)',
    );
  });
  afterAll(async () => {
    await database.close();
    await fixture.close();
  });

  test('is read and written by entities and by SQL, on the same connections', async () => {
    const writtenAt = new Date('2026-01-02T03:04:05.678Z');
    await database.withEntities(async (em) => {
      em.create(Note, { id: 1, text: "it's", writtenAt });
      await em.flush();
    });
    const rows = await database.sql(
      'select id, text, written_at, 7::bigint as big, 1.50::numeric as exact from notes.notes where id = any($1)',
      [[1]],
    );
    expect(rows).toEqual([{ id: 1, text: "it's", written_at: writtenAt, big: '7', exact: '1.50' }]);
    await database.sql('insert into notes.notes select * from unnest($1::int[], $2::text[], $3::timestamptz[])', [
      [2, 3],
      ['b', 'c'],
      [writtenAt, writtenAt],
    ]);
    const found = await database.withEntities((em) => em.find(Note, { id: { $gt: 1 } }, { orderBy: { id: 'asc' } }));
    expect(found.map(({ id, text, writtenAt: at }) => ({ id, text, at }))).toEqual([
      { id: 2, text: 'b', at: writtenAt },
      { id: 3, text: 'c', at: writtenAt },
    ]);
    expect(database.poolStatus().total).toBeLessThanOrEqual(4);
  });

  test('makes nothing by itself when it is opened', async () => {
    const [count] = await database.sql<{ count: number }>(
      'select count(*)::int as count from pg_database where not datistemplate',
    );
    await (await open()).close();
    expect(await database.sql('select count(*)::int as count from pg_database where not datistemplate')).toEqual([
      count,
    ]);
  });

  test('commits a transaction that returns and rolls back one that throws', async () => {
    const result = await database.transaction(async (sql) => {
      await sql(`insert into notes.notes values (10, 'kept', now())`);
      return 'done';
    });
    const failure = database.transaction(async (sql) => {
      await sql(`insert into notes.notes values (11, 'lost', now())`);
      throw new Error('changed my mind');
    });
    expect(result).toBe('done');
    await expect(failure).rejects.toThrow('changed my mind');
    expect(await database.sql('select id from notes.notes where id >= 10')).toEqual([{ id: 10 }]);
  });

  test('does not call a transaction committed whose failed statement was swallowed', async () => {
    const swallowed = database.transaction(async (sql) => {
      await sql(`insert into notes.notes values (12, 'lost', now())`);
      await sql('select 1/0').catch(() => undefined);
    });
    await expect(swallowed).rejects.toThrow('rolled back because one of its statements had failed');
    expect(await database.sql('select id from notes.notes where id = 12')).toEqual([]);
  });

  test('gives its own errors as pg’s one DatabaseError, from SQL and from entities', async () => {
    const failure = await database
      .sql(`insert into notes.notes values (1, 'twice', now())`)
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(pg.DatabaseError);
    expect((failure as pg.DatabaseError).code).toBe('23505');
    await expect(database.withEntities((em) => em.execute('select no_such'))).rejects.not.toBeInstanceOf(AppError);
  });

  test('answers pings, and an aborted one at once', async () => {
    await database.ping();
    await expect(database.ping(AbortSignal.abort(new Error('no time')))).rejects.toThrow('no time');
  });

  test('gives a closed pool as DATABASE_UNAVAILABLE', async () => {
    const closed = await open();
    await closed.close();
    for (const use of [
      () => closed.sql('select 1'),
      () => closed.transaction((sql) => sql('select 1')),
      () => closed.ping(),
    ]) {
      await expect(use()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE', retryable: true });
    }
  });

  // Nothing can interrupt a statement on the embedded Postgres but the client's own timer, seen in the next test.
  test.skipIf(name === 'embedded')(
    'ends a statement that takes too long, and a connection that the server ends',
    async () => {
      const impatient = await open({ statementTimeoutMs: 200, poolSizeMax: 1 });
      await expect(impatient.sql('select pg_sleep(10)')).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
      await expect(impatient.withEntities((em) => em.execute('select pg_sleep(10)'))).rejects.toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
      });
      await expect(impatient.sql('select pg_terminate_backend(pg_backend_pid())')).rejects.toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
      });
      expect(await impatient.sql('select 1 as one')).toEqual([{ one: 1 }]);
      await impatient.close();
    },
  );

  test('stops waiting for a statement that takes too long', async () => {
    const impatient = await open({ statementTimeoutMs: 200, poolSizeMax: 2 });
    const blocker = await open({ poolSizeMax: 1 });
    await blocker.transaction(async (sql) => {
      await sql('lock table notes.notes in access exclusive mode');
      await expect(impatient.sql('select count(*) from notes.notes')).rejects.toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
      });
    });
    expect(await impatient.sql('select 1 as one')).toEqual([{ one: 1 }]);
    await impatient.close();
    await blocker.close();
  });
});

describe('a database that cannot be reached', () => {
  let silent: Server;
  let silentUrl: string;
  beforeAll(async () => {
    silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    silentUrl = `postgres://me:top-secret@127.0.0.1:${typeof address === 'object' ? address?.port : 0}/app`;
  });
  afterAll(() => silent.close());

  test.each(['postgres://me:top-secret@127.0.0.1:1/app', 'postgres://me:top-secret@no-such-host.invalid/app'])(
    'is waited for and then named in one line without its password: %s',
    async (url) => {
      const failure = (await waitForDatabase(url, { timeoutMs: 700 }).catch((error: unknown) => error)) as AppError;
      expect(failure).toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
      expect(failure.message).toContain(new URL(url).hostname);
      expect(failure.message).toContain('within 0.7 s');
      expect(failure.message).not.toMatch(/\n|top-secret/);
    },
  );

  test('is given up on when it accepts and says nothing', async () => {
    await expect(waitForDatabase(silentUrl, { timeoutMs: 700 })).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      message: expect.stringContaining('127.0.0.1'),
    });
  });

  test('is not waited for any longer than the caller wants', async () => {
    await expect(waitForDatabase(silentUrl, { signal: AbortSignal.timeout(50), timeoutMs: 10_000 })).rejects.toThrow(
      /abort|timeout/i,
    );
  });

  test('fails every way of using it with DATABASE_UNAVAILABLE', async () => {
    const database = await openDatabase({
      connectionString: 'postgres://127.0.0.1:1/app',
      schema: 'x',
      entities: [Note],
      poolSizeMax: 1,
      embedded: false,
    });
    const uses: (() => Promise<unknown>)[] = [
      () => database.sql('select 1'),
      () => database.transaction((sql) => sql('select 1')),
      () => database.withEntities((em) => em.find(Note, {})),
      () => database.ping(),
    ];
    for (const use of uses) await expect(use()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await database.close();
  });

  test('is told from a database that refuses the statement', () => {
    const coded = (code: string): Error => Object.assign(new Error('x'), { code });
    expect(
      ['ECONNREFUSED', '08006', '57P01', '53300', '57014'].map((code) => isDatabaseUnavailable(coded(code))),
    ).not.toContain(false);
    expect(['23505', '42601', '40001', '22P02'].map((code) => isDatabaseUnavailable(coded(code)))).not.toContain(true);
  });
});
