import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase, type Database } from '#platform/database.ts';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '#platform/embedded-postgres.ts';
import { microdaoId, silentLogger } from '#test/llm-fixture.ts';
import { openTestDatabase, testDatabaseNames, type TestDatabase } from '#test/test-database.ts';
import { entities } from './entities.ts';
import { UsageLedger } from './usage-ledger.ts';
import { parsePeriod } from './usage-period.ts';
import { readUsage } from './usage.ts';

const childPath = fileURLToPath(new URL('../../test/ledger-kill-child.ts', import.meta.url));

interface Seen {
  /** Answers whose end a client has: their cost. */
  readonly finished: Map<string, number>;
  /** Tokens a client has of each answer, ended or not. */
  readonly tokens: Map<string, number>;
}

describe.each(testDatabaseNames)('a process killed with SIGKILL in the middle of many streams on %s', (name) => {
  const embedded = name === 'embedded';
  let server: TestDatabase | undefined;
  /** The data folder, or the connection string. */
  let place: string;
  let child: ChildProcess | undefined;
  let restarted: EmbeddedPostgres | undefined;
  let database: Database | undefined;
  let ledger: UsageLedger | undefined;

  beforeAll(async () => {
    if (embedded) place = await mkdtemp(path.join(tmpdir(), 'asg-kill-'));
    else place = (server = await openTestDatabase(name)).connectionString;
  });
  afterAll(async () => {
    child?.kill('SIGKILL');
    await ledger?.close();
    await database?.close();
    await restarted?.close();
    await server?.close();
    if (embedded) await rm(place, { recursive: true, force: true });
  });

  const runAndKill = async (forMs: number): Promise<Seen> => {
    const seen: Seen = { finished: new Map(), tokens: new Map() };
    const running = (child = spawn(process.execPath, [childPath, name, place], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }));
    const lines = createInterface({ input: running.stdout });
    const ready = new Promise<void>((resolve) => {
      lines.on('line', (line) => {
        const [what = '', id = '', figure = ''] = line.split(' ');
        if (what === 'ready') resolve();
        if (what === 'seen') seen.tokens.set(id, Number(figure));
        if (what === 'finished') seen.finished.set(id, Number(figure));
      });
    });
    await Promise.race([
      ready,
      once(running, 'exit').then(() => Promise.reject(new Error('the child ended by itself'))),
    ]);
    await sleep(forMs);
    running.kill('SIGKILL');
    await Promise.all([once(lines, 'close'), once(running, 'exit')]);
    return seen;
  };

  it('leaves every delivered answer in llmUsage, billed once', async () => {
    const runs = [await runAndKill(1_500), await runAndKill(700)];
    if (embedded) restarted = await startEmbeddedPostgres({ dataFolder: place });
    const connectionString = restarted?.connectionString ?? place;
    database = await openDatabase({ connectionString, schema: 'llm', entities, poolSizeMax: 4, embedded });
    const open = database;
    ledger = new UsageLedger(database, silentLogger, {
      leaseMs: 500,
      heartbeatIntervalMs: 100,
      settleExpiredIntervalMs: 100,
    });
    await ledger.start({ takeOverAll: embedded });
    const running = async () =>
      (await open.sql<{ n: number }>(`select count(*)::int as n from llm.llm_requests where status = 'RUNNING'`))[0]?.n;
    // At once where nobody else can be alive, and when the leases have run out elsewhere.
    if (embedded) expect(await running()).toBe(0);
    else await expect.poll(running, { timeout: 10_000 }).toBe(0);

    const rows = await database.sql<{ id: string; status: string; cost: number; output: number; estimated: boolean }>(
      'select id::text, status, cost_usd::float8 as cost, output_tokens::int as output, estimated from llm.llm_requests',
    );
    const byId = new Map(rows.map((row) => [row.id, row]));
    for (const { finished, tokens } of runs) {
      expect(finished.size).toBeGreaterThan(20);
      for (const [id, cost] of finished) expect(byId.get(id)).toMatchObject({ status: 'SUCCEEDED', cost });
      for (const id of tokens.keys()) expect(byId.has(id)).toBe(true);
    }
    const interrupted = rows.filter(({ status }) => status === 'INTERRUPTED');
    expect(interrupted.length).toBeGreaterThanOrEqual(10);
    expect(interrupted.every(({ estimated, cost }) => estimated && cost > 0)).toBe(true);
    // The long streams are billed to their last checkpoint: that ran for more than a checkpoint's interval.
    const long = [...(runs[0]?.tokens ?? [])].filter(([id, tokens]) => tokens > 60 && !runs[0]?.finished.has(id));
    expect(long).toHaveLength(5);
    for (const [id, tokens] of long) expect(byId.get(id)?.output).toBeGreaterThan(tokens / 2);

    const { totals } = await readUsage(database, microdaoId, {}, parsePeriod('1h'), undefined);
    const [sum] = await database.sql<{ cost: string }>('select sum(cost_usd)::text as cost from llm.llm_attempts');
    expect(totals).toMatchObject({ requests: rows.length, costUsd: sum?.cost, errors: interrupted.length });
  }, 60_000);
});
