import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestDatabase, testDatabaseNames, type TestDatabase } from '#test/test-database.ts';
import { openDatabase, type Database } from './database.ts';
import { migrate, pendingMigrations, type Migration } from './migrate.ts';
import { migrations as authMigrations } from './migrations/migrations.ts';

const first: Migration = { name: '001', up: ['create table {s}.a (id int)', 'insert into {s}.a values (1)'] };
const second: Migration = { name: '002', up: ['create table {s}.b (id int)'] };
const inSchema = (schema: string, ...migrations: Migration[]): Migration[] =>
  migrations.map(({ name, up }) => ({ name, up: up.map((statement) => statement.replaceAll('{s}', schema)) }));

describe.each(testDatabaseNames)('migrations, %s', (name) => {
  let fixture: TestDatabase;
  const databases: Database[] = [];
  const open = async (schema: string): Promise<Database> => {
    const database = await openDatabase({
      connectionString: fixture.connectionString,
      schema,
      poolSizeMax: 2,
      embedded: fixture.embedded,
    });
    databases.push(database);
    return database;
  };
  beforeAll(async () => {
    fixture = await openTestDatabase(name);
  });
  afterAll(async () => {
    for (const database of databases) await database.close();
    await fixture.close();
  });

  test('are applied once, in order, and told about', async () => {
    const database = await open('once');
    const told: string[] = [];
    expect(await pendingMigrations(database, inSchema('once', first, second))).toEqual(['001', '002']);
    expect(await migrate(database, inSchema('once', first), { onApplied: (each) => told.push(each) })).toEqual(['001']);
    expect(await migrate(database, inSchema('once', first, second), { onApplied: (each) => told.push(each) })).toEqual([
      '002',
    ]);
    expect(await migrate(database, inSchema('once', first, second))).toEqual([]);
    expect(await pendingMigrations(database, inSchema('once', first, second))).toEqual([]);
    expect(told).toEqual(['001', '002']);
    expect(await database.sql('select id from once.a')).toEqual([{ id: 1 }]);
  });

  test('are applied once by several processes that start at the same time', async () => {
    const replicas = await Promise.all(Array.from({ length: 5 }, () => open('race')));
    const applied = await Promise.all(replicas.map((database) => migrate(database, inSchema('race', first, second))));
    expect(applied.flat().toSorted()).toEqual(['001', '002']);
    expect(await replicas[0]?.sql('select id from race.a')).toEqual([{ id: 1 }]);
  });

  test('that fail leave nothing behind, and go on from there when mended', async () => {
    const database = await open('failing');
    const broken: Migration = {
      name: '002',
      up: ['create table {s}.b (id int)', 'create table {s}.c (id no_such_type)'],
    };
    await expect(migrate(database, inSchema('failing', first, broken))).rejects.toThrow('no_such_type');
    expect(await database.sql(`select to_regclass('failing.b') as b, to_regclass('failing.a')::text as a`)).toEqual([
      { a: 'failing.a', b: null },
    ]);
    expect(await migrate(database, inSchema('failing', first, second))).toEqual(['002']);
  });

  test('that were changed after they were applied are refused, unless only by white space', async () => {
    const database = await open('changed');
    await migrate(database, inSchema('changed', first));
    const reformatted: Migration = {
      name: '001',
      up: first.up.map((statement) => `\n  ${statement.replace(' table ', '\n table  ')} `),
    };
    expect(await migrate(database, inSchema('changed', reformatted))).toEqual([]);
    const changed: Migration = { name: '001', up: ['create table {s}.a (id bigint)'] };
    await expect(migrate(database, inSchema('changed', changed))).rejects.toThrow(
      'migration 001 was changed after it had been applied',
    );
  });

  test('of a newer version do not stop an older one from starting', async () => {
    const database = await open('newer');
    await migrate(database, inSchema('newer', first, second));
    expect(await migrate(database, inSchema('newer', first))).toEqual([]);
  });

  test('need names of their own', async () => {
    await expect(migrate(await open('names'), inSchema('names', first, first))).rejects.toThrow(
      'two migrations are called 001',
    );
  });

  test('of the platform apply', async () => {
    const database = await open('auth');
    expect(await migrate(database, authMigrations)).toEqual(authMigrations.map((each) => each.name));
  });
});
