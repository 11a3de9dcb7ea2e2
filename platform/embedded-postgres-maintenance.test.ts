import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '#test/test-database.ts';

const MEBIBYTE = 1024 * 1024;
let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await openTestDatabase('embedded');
  client = new pg.Client(database.connectionString);
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await database.close();
});

async function walBytes(): Promise<number> {
  const folder = path.join(database.dataFolder ?? '', 'postgres', 'pg_wal');
  const files = await readdir(folder);
  const sizes = await Promise.all(files.map(async (file) => (await stat(path.join(folder, file))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

test('without background processes the write-ahead log is cut off and tables are vacuumed all the same', async () => {
  await client.query('create table public.busy (id int primary key, value int, filler text)');
  await client.query(`insert into public.busy select i, 0, repeat('x', 400) from generate_series(1, 50000) i`);
  for (let round = 1; round <= 4; round += 1) await client.query('update public.busy set value = $1', [round]);
  const { rows: written } = await client.query<{ bytes: string }>(
    `select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::text as bytes`,
  );
  expect(Number(written[0]?.bytes)).toBeGreaterThan(100 * MEBIBYTE);

  await expect
    .poll(
      async () => {
        const { rows } = await client.query<{ dead: number; vacuumed: boolean }>(
          `select n_dead_tup::int as dead, last_vacuum is not null as vacuumed from pg_stat_user_tables where relname = 'busy'`,
        );
        return rows[0]?.vacuumed === true && (await walBytes()) <= 96 * MEBIBYTE;
      },
      { timeout: 45_000, interval: 500 },
    )
    .toBe(true);
}, 60_000);
