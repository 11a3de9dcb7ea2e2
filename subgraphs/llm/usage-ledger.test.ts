import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '#platform/database.ts';
import { AppError } from '#platform/errors.ts';
import { testDatabaseNames } from '#test/test-database.ts';
import { intent, openMigrated, silentLogger } from '#test/llm-fixture.ts';
import { UsageLedger, type LedgerSettings } from './usage-ledger.ts';
import { noUsage, type OpenRequest, type Settlement } from './usage-ledger-rows.ts';

const usage = { inputTokens: 100, outputTokens: 50, cachedInputTokens: 40, reasoningTokens: 10 };
const succeeded: Settlement = { status: 'SUCCEEDED', usage, estimated: false, latencyMs: 120, timeToFirstTokenMs: 30 };

interface Row {
  readonly status: string;
  readonly cost_usd: string | null;
  readonly input_tokens: string;
  readonly output_tokens: string;
  readonly estimated: boolean;
}

describe.each(testDatabaseNames)('the usage ledger on %s', (name) => {
  let database: Database;
  let close: () => Promise<void>;
  const ledgers: UsageLedger[] = [];

  beforeAll(async () => {
    ({ database, close } = await openMigrated(name));
  });
  afterAll(async () => {
    await Promise.all(ledgers.map((ledger) => ledger.close()));
    await close();
  });

  const start = async (settings: LedgerSettings = {}, on: Database = database): Promise<UsageLedger> => {
    const ledger = new UsageLedger(on, silentLogger, { closePatienceMs: 20, ...settings });
    await ledger.start();
    ledgers.push(ledger);
    return ledger;
  };
  const open = async (ledger: UsageLedger, overrides: Parameters<typeof intent>[0] = {}): Promise<OpenRequest> => {
    const request = await ledger.open(intent(overrides));
    if (request === null) throw new Error('not opened');
    return request;
  };
  const rowOf = async (id: string): Promise<Row | undefined> =>
    (await database.sql<Row>('select * from llm.llm_requests where id = $1', [id]))[0];
  /** Counts statements on their way to the database. */
  const counting = (): { database: Database; statements: () => number } => {
    let statements = 0;
    const sql: Database['sql'] = (text, values) => {
      statements += 1;
      return database.sql(text, values);
    };
    return { database: Object.assign(Object.create(database) as Database, { sql }), statements: () => statements };
  };

  it('writes the intent before, and the exact bill after', async () => {
    const ledger = await start();
    const request = await open(ledger);
    expect(await rowOf(request.id)).toMatchObject({ status: 'RUNNING', cost_usd: null });
    // (60 × 2.5 + 40 × 1.25 + 50 × 10) / 10^6
    expect(await ledger.settle(request, succeeded)).toMatchObject({ costUsd: '0.0007000000', inputTokens: 100 });
    expect(await rowOf(request.id)).toMatchObject({
      status: 'SUCCEEDED',
      cost_usd: '0.0007000000',
      latency_ms: 120,
      ttft_ms: 30,
    });
    const attempts = await database.sql('select * from llm.llm_attempts where llm_request_id = $1', [request.id]);
    expect(attempts).toMatchObject([
      { number: 1, status: 'SUCCEEDED', cost_usd: '0.0007000000', cached_input_tokens: '40' },
    ]);
  });

  it('writes what comes at the same time together', async () => {
    const counted = counting();
    const ledger = await start({}, counted.database);
    const before = counted.statements();
    const requests = await Promise.all(
      Array.from({ length: 100 }, (_, index) => open(ledger, { requestId: `request-${index}` })),
    );
    await Promise.all(requests.map((request) => ledger.settle(request, succeeded)));
    expect(counted.statements() - before).toBeLessThan(10);
    const [found] = await database.sql(
      `select count(*)::int as n from llm.llm_requests where id = any($1::uuid[]) and status = 'SUCCEEDED'`,
      [requests.map(({ id }) => id)],
    );
    expect(found).toEqual({ n: 100 });
  });

  it('settles once, and tells the second one that it came too late', async () => {
    const ledger = await start();
    const request = await open(ledger);
    await database.sql(
      `update llm.llm_requests set status = 'INTERRUPTED', settled_at = now(), cost_usd = 1 where id = $1`,
      [request.id],
    );
    await expect(ledger.settle(request, succeeded)).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect(await rowOf(request.id)).toMatchObject({ status: 'INTERRUPTED', cost_usd: '1.0000000000' });
  });

  it('takes a settlement whose answer got lost on the way for settled', async () => {
    let cuts = 0;
    const flaky: Database = Object.assign(Object.create(database) as Database, {
      sql: async (text: string, values: unknown[]) => {
        const rows = await database.sql(text, values);
        if ((text.includes('open_') || text.includes('settle_')) && ++cuts % 2 === 1) {
          throw new AppError('DATABASE_UNAVAILABLE', 'cut');
        }
        return rows;
      },
    });
    const ledger = await start({}, flaky);
    const request = await open(ledger, { idempotency: { scope: randomUUID(), bodyHash: 'b' } });
    await expect(ledger.settle(request, succeeded)).resolves.toMatchObject({ costUsd: '0.0007000000' });
    const [sum] = await database.sql(
      'select count(*)::int as n, sum(cost_usd) as cost from llm.llm_attempts where llm_request_id = $1',
      [request.id],
    );
    expect(sum).toEqual({ n: 1, cost: '0.0007000000' });
  });

  it('fails a bad row alone', async () => {
    const ledger = await start();
    const results = await Promise.allSettled([
      ledger.open(intent({ requestId: 'good-1' })),
      ledger.open(intent({ requestId: 'bad\0one' })),
      ledger.open(intent({ requestId: 'good-2' })),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('gives a key to one of many, and opens their neighbours all the same', async () => {
    const one = await start();
    const two = await start();
    const scope = randomUUID();
    const keyed = { idempotency: { scope, bodyHash: 'same' } };
    const opened = await Promise.all([
      ...Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? one : two).open(intent(keyed))),
      ...Array.from({ length: 20 }, () => one.open(intent())),
    ]);
    expect(opened.slice(0, 20).filter((request) => request !== null)).toHaveLength(1);
    expect(opened.slice(20).filter((request) => request !== null)).toHaveLength(20);
    const [rows] = await database.sql('select count(*)::int as n from llm.llm_requests where idempotency_scope = $1', [
      scope,
    ]);
    expect(rows).toEqual({ n: 1 });
  });

  it('frees the key of a failure for the same body only', async () => {
    const ledger = await start();
    const scope = randomUUID();
    const first = await open(ledger, { idempotency: { scope, bodyHash: 'a' } });
    expect(await ledger.open(intent({ idempotency: { scope, bodyHash: 'a' } }))).toBeNull();
    await ledger.settle(first, { ...succeeded, status: 'FAILED', errorCode: 'PROVIDER_UNAVAILABLE' });
    expect(await ledger.open(intent({ idempotency: { scope, bodyHash: 'b' } }))).toBeNull();
    const again = await open(ledger, { idempotency: { scope, bodyHash: 'a' } });
    await ledger.settle(again, { ...succeeded, answer: '{"text":"\\u0000"}' });
    expect(await ledger.open(intent({ idempotency: { scope, bodyHash: 'a' } }))).toBeNull();
    expect(await database.sql('select state, answer from llm.llm_idempotency where scope = $1', [scope])).toEqual([
      { state: 'SUCCEEDED', answer: '{"text":"\\u0000"}' },
    ]);
  });

  it('keeps nonsense that a provider tells out of the books', async () => {
    const ledger = await start();
    const request = await open(ledger);
    const nonsense = { inputTokens: -5, outputTokens: Number.NaN, cachedInputTokens: 7, reasoningTokens: Infinity };
    expect(await ledger.settle(request, { ...succeeded, usage: nonsense })).toMatchObject({
      ...noUsage,
      costUsd: '0.0000000000',
    });
  });

  it('bills all attempts of a request, each at its own price', async () => {
    const ledger = await start();
    const request = await open(ledger);
    const other = {
      provider: 'anthropic',
      model: 'claude',
      price: { inputUsd: '3', outputUsd: '15', cachedInputUsd: '0.3' },
      priceVersion: 'v2',
    } as const;
    await ledger.startAttempt(request, other, {
      usage: { ...noUsage, inputTokens: 100 },
      estimated: true,
      errorCode: 'STREAM_INTERRUPTED',
      latencyMs: 5,
    });
    const bill = await ledger.settle(request, succeeded);
    // 100 × 2.5 and (60 × 3 + 40 × 0.3 + 50 × 15)
    expect(bill).toMatchObject({ costUsd: '0.0011920000', inputTokens: 200, estimated: true });
    const attempts = await database.sql(
      'select number, provider, status, cost_usd from llm.llm_attempts where llm_request_id = $1 order by number',
      [request.id],
    );
    expect(attempts).toEqual([
      { number: 1, provider: 'openai', status: 'FAILED', cost_usd: '0.0002500000' },
      { number: 2, provider: 'anthropic', status: 'SUCCEEDED', cost_usd: '0.0009420000' },
    ]);
    expect(await rowOf(request.id)).toMatchObject({
      provider: 'anthropic',
      cost_usd: '0.0011920000',
      input_tokens: '200',
    });
  });

  it('settles what a dead process left open once, from its last checkpoint', async () => {
    const quick = {
      leaseMs: 300,
      heartbeatIntervalMs: 60_000,
      settleExpiredIntervalMs: 60_000,
      checkpointIntervalMs: 20,
    };
    const dying = await start(quick);
    const streaming = await open(dying);
    const silent = await open(dying);
    streaming.delivered = () => ({ ...noUsage, outputTokens: 25, timeToFirstTokenMs: 12 });
    await expect
      .poll(
        async () =>
          (await rowOf(streaming.id)) !== undefined &&
          (
            await database.sql(
              'select 1 from llm.llm_attempts where llm_request_id = $1 and checkpoint_at is not null',
              [streaming.id],
            )
          ).length,
      )
      .toBe(1);

    const alive = await start({ leaseMs: 300, heartbeatIntervalMs: 50, settleExpiredIntervalMs: 60_000 });
    const mine = await open(alive);
    const others = await Promise.all([
      start({ leaseMs: 300, heartbeatIntervalMs: 50 }),
      start({ leaseMs: 300, heartbeatIntervalMs: 50 }),
    ]);
    await sleep(500);
    const settled = await Promise.all([alive, ...others].map((ledger) => ledger.settleExpired()));
    expect(settled.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(2);
    await expect.poll(async () => (await rowOf(silent.id))?.status).toBe('INTERRUPTED');
    // 400 characters of input are estimated as 100 tokens: (100 × 2.5 + 25 × 10) / 10^6
    expect(await rowOf(streaming.id)).toMatchObject({
      status: 'INTERRUPTED',
      input_tokens: '100',
      output_tokens: '25',
      cost_usd: '0.0005000000',
      estimated: true,
    });
    expect(await rowOf(silent.id)).toMatchObject({
      status: 'INTERRUPTED',
      input_tokens: '100',
      output_tokens: '0',
      cost_usd: '0.0002500000',
    });
    expect(await rowOf(mine.id)).toMatchObject({ status: 'RUNNING' });

    // The process was only slow: it may not settle again, and goes on under a new name.
    await expect(dying.settle(streaming, succeeded)).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect(await rowOf(streaming.id)).toMatchObject({ status: 'INTERRUPTED', cost_usd: '0.0005000000' });
    const later = await open(dying);
    await expect(dying.settle(later, succeeded)).resolves.toMatchObject({ costUsd: '0.0007000000' });
  });

  it('leaves what it has open to others when it closes', async () => {
    const leaving = new UsageLedger(database, silentLogger, { closePatienceMs: 20 });
    await leaving.start();
    const left = await open(leaving);
    await leaving.close();
    const other = await start();
    await other.settleExpired();
    expect(await rowOf(left.id)).toMatchObject({ status: 'INTERRUPTED' });
  });

  it('refuses to open while the database is away, and settles when it is back', async () => {
    let isAway = false;
    const unreliable: Database = Object.assign(Object.create(database) as Database, {
      sql: (text: string, values: unknown[]) =>
        isAway ? Promise.reject(new AppError('DATABASE_UNAVAILABLE', 'away')) : database.sql(text, values),
    });
    const ledger = await start({ openPatienceMs: 50, settlePatienceMs: 50, backlogMax: 3 }, unreliable);
    const request = await open(ledger);
    isAway = true;
    await expect(ledger.open(intent())).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await expect(ledger.settle(request, succeeded)).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    const flood = await Promise.allSettled(Array.from({ length: 10 }, () => ledger.open(intent())));
    expect(flood.every(({ status }) => status === 'rejected')).toBe(true);
    isAway = false;
    await expect.poll(async () => (await rowOf(request.id))?.status, { timeout: 5_000 }).toBe('SUCCEEDED');
    await expect(open(ledger)).resolves.toBeDefined();
  });
});
