/**
 * A program for tests that kill it: starts the embedded Postgres on the folder of its first argument and inserts rows
 * over eight connections, some in transactions of two. Writes a row's number to standard output once its commit has been
 * acknowledged, and not earlier.
 */
import { writeSync } from 'node:fs';
import pg from 'pg';
import { openDataFolder } from '#platform/data-folder.ts';
import { startEmbeddedPostgres } from '#platform/embedded-postgres.ts';

const CONNECTIONS = 8;

const dataFolder = await openDataFolder(process.argv[2] ?? '');
writeSync(1, 'opened\n');
const server = await startEmbeddedPostgres({ dataFolder: dataFolder.path });
const pool = new pg.Pool({ connectionString: server.connectionString, max: CONNECTIONS });
await pool.query('create table if not exists public.acknowledged (id bigserial primary key, text text not null)');
writeSync(1, 'ready\n');

const insert = `insert into public.acknowledged (text) values (repeat('x', 200)) returning id`;
await Promise.all(
  Array.from({ length: CONNECTIONS }, async (_, index) => {
    const client = await pool.connect();
    for (;;) {
      if (index % 2 === 0) {
        const { rows } = await client.query<{ id: string }>(insert);
        writeSync(1, `${rows[0]?.id}\n`);
      } else {
        await client.query('begin');
        const first = await client.query<{ id: string }>(insert);
        const second = await client.query<{ id: string }>(insert);
        await client.query('commit');
        writeSync(1, `${first.rows[0]?.id}\n${second.rows[0]?.id}\n`);
      }
    }
  }),
);
