import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { defineEntity, p } from '@mikro-orm/core';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '#test/test-database.ts';
import { openDatabase } from './database.ts';
import { startEmbeddedPostgres } from './embedded-postgres.ts';

/** `STRESS_FACTOR=10 npx vitest run platform/embedded-postgres-stress.test.ts` does ten times as much. */
const factor = Number(process.env['STRESS_FACTOR'] ?? 1);
const CONNECTIONS = 10;
const MIXED_QUERIES = 4_000 * factor;
const TRANSACTIONS = 300 * factor;
const KILLS = 3 * factor;
const KILL_AFTER_MS_MAX = 900;
/** Far above what it takes alone (under 30 s all together), for machines that are busy with other things. */
const TIMEOUT_MS = 240_000 * factor;

describe('the embedded Postgres under load', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase('embedded');
  });
  afterAll(() => database.close());

  test(
    'gives each of many connections the answers to its own questions',
    async () => {
      await withClient(database.connectionString, (client) =>
        client.query('create table public.counters (id int primary key, value int not null)'),
      );
      await withClient(database.connectionString, (client) =>
        client.query('insert into public.counters select i, 0 from generate_series(0, 9) i'),
      );
      let left = MIXED_QUERIES;
      const increments = await Promise.all(
        Array.from({ length: CONNECTIONS }, (_, index) =>
          withClient(
            database.connectionString,
            async (client) => {
              let done = 0;
              while (left-- > 0) done += await askSomething(client, index);
              return done;
            },
            // Half of them send their next messages before the answers to the earlier ones.
            { pipeline: index % 2 === 1 },
          ),
        ),
      );
      const { rows } = await withClient(database.connectionString, (client) =>
        client.query<{ sum: number }>('select sum(value)::int as sum from public.counters'),
      );
      expect(rows[0]?.sum).toBe(increments.reduce((sum, each) => sum + each, 0));
    },
    TIMEOUT_MS,
  );

  test(
    'keeps concurrent transactions of two MikroORMs apart',
    async () => {
      const Account = defineEntity({
        name: 'Account',
        tableName: 'accounts',
        properties: { id: p.integer().primary(), balance: p.integer(), note: p.text() },
      });
      const open = () =>
        openDatabase({
          connectionString: database.connectionString,
          schema: 'bank',
          entities: [Account],
          poolSizeMax: 5,
          embedded: true,
        });
      const [first, second] = await Promise.all([open(), open()]);
      await first.sql('create schema bank');
      await first.sql('create table bank.accounts (id int primary key, balance int not null, note text not null)');
      await first.sql(`insert into bank.accounts select i, 1000, '' from generate_series(1, 10) i`);

      const transfer = async (index: number): Promise<void> => {
        const from = 1 + (index % 10);
        const to = 1 + ((index * 7 + 3) % 10);
        await (index % 2 === 0 ? first : second).withEntities((em) =>
          em.transactional(async (inner) => {
            const giver = await inner.findOneOrFail(Account, from);
            const taker = await inner.findOneOrFail(Account, to);
            giver.balance -= 10;
            taker.balance += 10;
            taker.note = `transfer ${index}`;
            await inner.flush();
            if (index % 5 === 0) throw new Error('changed my mind');
          }),
        );
      };
      let next = 0;
      let failures = 0;
      await Promise.all(
        Array.from({ length: CONNECTIONS }, async () => {
          for (let index = next++; index < TRANSACTIONS; index = next++) {
            await transfer(index).catch((error: Error) => {
              if (error.message !== 'changed my mind') throw error;
              failures += 1;
            });
          }
        }),
      );

      const [sum] = await first.sql<{ sum: number }>('select sum(balance)::int as sum from bank.accounts');
      const notes = await second.sql<{ note: string }>(`select note from bank.accounts where note <> ''`);
      expect(failures).toBe(TRANSACTIONS / 5);
      expect(sum?.sum).toBe(10_000);
      expect(notes.filter(({ note }) => Number(note.slice(9)) % 5 === 0)).toEqual([]);
      await Promise.all([first.close(), second.close()]);
    },
    TIMEOUT_MS,
  );

  test(
    'leaves the event loop of the main thread free',
    async () => {
      const pool = new pg.Pool({ connectionString: database.connectionString, max: 4 });
      await pool.query('create table public.bulk (id int, text text)');
      let worstMs = 0;
      let turns = 0;
      let last = performance.now();
      const timer = setInterval(() => {
        worstMs = Math.max(worstMs, performance.now() - last - 5);
        last = performance.now();
        turns += 1;
      }, 5);
      // A statement that the database works on for a good while.
      await pool.query(`insert into public.bulk select i, repeat(md5(i::text), 20) from generate_series(1, 60000) i`);
      clearInterval(timer);
      await pool.end();
      console.info(`main thread lag while 60,000 rows went in: ${worstMs.toFixed(1)} ms`);
      // Were the database on this thread, the timer would not have run at all.
      expect(turns).toBeGreaterThan(10);
    },
    TIMEOUT_MS,
  );
});

describe('kill -9', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'asg-kill-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test(
    'loses no acknowledged commit, however often it happens',
    async () => {
      const acknowledged = new Set<number>();
      // The first one dies while it makes the database.
      await runAndKill(folder, acknowledged, { untilLine: /^opened$/, afterMs: 700 });
      for (let kill = 0; kill < KILLS; kill += 1) {
        await runAndKill(folder, acknowledged, { untilLine: /^\d+$/, afterMs: randomInt(100, KILL_AFTER_MS_MAX) });
      }
      const startedAt = performance.now();
      const server = await startEmbeddedPostgres({ dataFolder: folder });
      const startMs = performance.now() - startedAt;
      const ids = await withClient(server.connectionString, async (client) => {
        const { rows } = await client.query<{ id: string }>('select id from public.acknowledged');
        return new Set(rows.map(({ id }) => Number(id)));
      });
      await server.close();
      console.info(
        `${acknowledged.size} acknowledged inserts over ${KILLS} kills; started again in ${startMs.toFixed(0)} ms`,
      );
      expect(acknowledged.size).toBeGreaterThanOrEqual(KILLS);
      expect([...acknowledged].filter((id) => !ids.has(id))).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

/** One question whose answer is known; returns how much it added to the counters. */
async function askSomething(client: pg.Client, index: number): Promise<number> {
  const token = `${index}-${randomInt(1_000_000_000)}`;
  const kind = randomInt(9);
  if (kind <= 2) {
    const { rows } = await client.query('select $1::text as token, $2::int + 1 as next', [token, index]);
    expect(rows).toEqual([{ token, next: index + 1 }]);
  } else if (kind === 3) {
    const results = (await client.query(
      `select '${token}' as a; select '${token}!' as b`,
    )) as unknown as pg.QueryResult[];
    expect(results.map(({ rows }) => rows)).toEqual([[{ a: token }], [{ b: `${token}!` }]]);
  } else if (kind === 4) {
    const { rows } = await client.query('select i, $1::text as token from generate_series(1, 500) i', [token]);
    expect(rows).toEqual(Array.from({ length: 500 }, (_, row) => ({ i: row + 1, token })));
  } else if (kind === 5) {
    await expect(client.query('select $1::int / 0 as never', [index])).rejects.toThrow('division by zero');
  } else if (kind === 6) {
    const big = token.repeat(20_000);
    const { rows } = await client.query('select md5($1) as hash, $1 as big', [big]);
    expect(rows).toEqual([{ hash: createHash('md5').update(big).digest('hex'), big }]);
  } else if (kind === 7) {
    return incrementTwice(client, randomInt(2) === 0);
  } else {
    const several = Array.from({ length: 5 }, (_, row) =>
      client.query('select $1::text as token', [`${token}/${row}`]),
    );
    const answers = (await Promise.all(several)).map(({ rows }) => rows[0].token as string);
    expect(answers).toEqual([0, 1, 2, 3, 4].map((row) => `${token}/${row}`));
  }
  return 0;
}

async function incrementTwice(client: pg.Client, fails: boolean): Promise<number> {
  await client.query('begin');
  // Read, then write what was read plus one: right only if nobody else comes between.
  for (let time = 0; time < 2; time += 1) {
    const id = randomInt(10);
    const { rows } = await client.query<{ value: number }>('select value from public.counters where id = $1', [id]);
    await client.query('update public.counters set value = $1 where id = $2', [(rows[0]?.value ?? 0) + 1, id]);
  }
  if (fails) {
    await expect(client.query('select no_such_column')).rejects.toThrow('no_such_column');
    await expect(client.query('select 1')).rejects.toThrow('current transaction is aborted');
    await client.query('rollback');
    return 0;
  }
  await client.query('commit');
  return 2;
}

async function withClient<Result>(
  connectionString: string,
  work: (client: pg.Client) => Promise<Result>,
  options: { pipeline?: boolean } = {},
): Promise<Result> {
  const client = new pg.Client({ connectionString, ...options } as pg.ClientConfig);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const inserter = fileURLToPath(new URL('../test/durable-inserter.ts', import.meta.url));

async function runAndKill(
  folder: string,
  acknowledged: Set<number>,
  when: { untilLine: RegExp; afterMs: number },
): Promise<void> {
  const child: ChildProcess = spawn(process.execPath, [inserter, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.stdout === null) throw new Error('no standard output');
  const reached = Promise.withResolvers<void>();
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.once('exit', () => reached.reject(new Error('the inserter ended before it was killed')));
  createInterface(child.stdout).on('line', (line) => {
    if (when.untilLine.test(line)) reached.resolve();
    if (/^\d+$/.test(line)) acknowledged.add(Number(line));
  });
  await reached.promise;
  await delay(when.afterMs);
  child.kill('SIGKILL');
  await ended;
}
