import { rm } from 'node:fs/promises';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { emptyDatabaseFolder, openTestDatabase, testDatabaseNames, type TestDatabase } from '#test/test-database.ts';
import { openDatabase, type Database } from './database.ts';
import { startEmbeddedPostgres } from './embedded-postgres.ts';
import { migrate } from './migrate.ts';
import { AUTH_SCHEMA, migrations } from './migrations/migrations.ts';
import { revokeByCommand } from './token-revocation-command.ts';
import { RevokedTokens, revokeToken } from './token-revocation.ts';

const inAnHour = (): Date => new Date(Date.now() + 3_600_000);
const eventually = { timeout: 10_000, interval: 20 };

describe.each(testDatabaseNames)('revoked tokens, %s', (name) => {
  let fixture: TestDatabase;
  let database: Database;
  const open = (): Promise<Database> =>
    openDatabase({
      connectionString: fixture.connectionString,
      schema: AUTH_SCHEMA,
      poolSizeMax: 2,
      embedded: fixture.embedded,
    });
  beforeAll(async () => {
    fixture = await openTestDatabase(name);
    database = await open();
    await migrate(database, migrations);
  });
  afterAll(async () => {
    await database.close();
    await fixture.close();
  });

  test('are known from the start, and within a second of being revoked elsewhere', async () => {
    await revokeToken(database, { jti: 'before', expiresAt: inAnHour(), revokedBy: 'user:test' });
    const tokens = await RevokedTokens.open({ database });
    const heard: string[] = [];
    const stop = tokens.onRevoked((jti) => heard.push(jti));
    expect([tokens.has('before'), tokens.has('after')]).toEqual([true, false]);
    await revokeToken(database, { jti: 'after', expiresAt: inAnHour(), revokedBy: 'user:test' });
    await revokeToken(database, { jti: 'after', expiresAt: inAnHour(), revokedBy: 'user:again' });
    await expect.poll(() => tokens.has('after'), eventually).toBe(true);
    expect(heard).toEqual(['after']);
    stop();
    await tokens.close();
  });

  test('are forgotten, and their rows deleted, once the tokens have expired anyway', async () => {
    await revokeToken(database, { jti: 'old', expiresAt: new Date(Date.now() - 3_600_000), revokedBy: 'user:test' });
    const tokens = await RevokedTokens.open({ database, pollIntervalMs: 20 });
    expect(tokens.has('old')).toBe(false);
    await expect
      .poll(() => database.sql(`select 1 from auth.revoked_tokens where jti = 'old'`), eventually)
      .toEqual([]);
    await tokens.close();
  });

  test('stay in force while the database is away, and tell their age', async () => {
    await revokeToken(database, { jti: 'lasting', expiresAt: inAnHour(), revokedBy: 'user:test' });
    const own = await open();
    const tokens = await RevokedTokens.open({ database: own, pollIntervalMs: 20 });
    await own.close();
    await expect.poll(() => tokens.ageMs, eventually).toBeGreaterThan(200);
    expect(tokens.has('lasting')).toBe(true);
    await tokens.close();
  });

  test('cannot be opened without having been read', async () => {
    const own = await open();
    await own.close();
    await expect(RevokedTokens.open({ database: own })).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  });
});

describe('revoking from the command line', () => {
  test('takes a token or its id, beside a running server and without one', async () => {
    const folder = await emptyDatabaseFolder();
    const token = await new SignJWT({ jti: 'from-token' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('1h')
      .sign(Buffer.alloc(32));
    const options = { databaseUrl: undefined, dataFolder: folder };
    expect(await revokeByCommand(token, options)).toEqual({ jti: 'from-token' });

    const server = await startEmbeddedPostgres({ dataFolder: folder });
    const database = await openDatabase({
      connectionString: server.connectionString,
      schema: AUTH_SCHEMA,
      poolSizeMax: 1,
      embedded: true,
    });
    const tokens = await RevokedTokens.open({ database });
    expect(await revokeByCommand('by-id', options)).toEqual({ jti: 'by-id' });
    await tokens.refresh();
    expect(['from-token', 'by-id', 'another'].map((jti) => tokens.has(jti))).toEqual([true, true, false]);
    await tokens.close();
    await database.close();
    await server.close();
    await rm(folder, { recursive: true, force: true });
  }, 30_000);

  test.each(['', 'a.b.c'])('refuses what is neither: "%s"', async (nonsense) => {
    await expect(revokeByCommand(nonsense, { databaseUrl: undefined, dataFolder: '/nowhere' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
  });
});
