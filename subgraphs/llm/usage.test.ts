import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '#platform/database.ts';
import { microdaoId, openMigrated, silentLogger } from '#test/llm-fixture.ts';
import { testDatabaseNames } from '#test/test-database.ts';
import { latencyBucket } from './usage-percentiles.ts';
import { parsePeriod } from './usage-period.ts';
import { UsageRollup } from './usage-rollup.ts';
import type { UsageFilter, UsageGrouping } from './usage-statement.ts';
import { readUsage, type UsageFigures } from './usage.ts';
import { uuidV7 } from './uuid-v7.ts';

interface Seeded {
  readonly microdao: string;
  readonly agent: string | null;
  readonly model: string;
  readonly provider: string;
  readonly kind: 'COMPLETION' | 'EMBEDDING';
  readonly status: 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'INTERRUPTED';
  readonly input: number;
  readonly output: number;
  /** In 10^-10 dollars. */
  readonly cost: bigint | null;
  readonly latency: number | null;
  readonly settledAt: number;
}

const base = Date.parse('2026-03-01T00:00:00Z');
const hour = 3_600_000;
const seeded: fc.Arbitrary<Seeded> = fc.record({
  microdao: fc.constantFrom(microdaoId, microdaoId, microdaoId, 'microdao:other'),
  agent: fc.constantFrom(null, 'agent:a', 'agent:b'),
  model: fc.constantFrom('gpt-4o', 'claude'),
  provider: fc.constantFrom('openai', 'anthropic'),
  kind: fc.constantFrom('COMPLETION', 'EMBEDDING'),
  status: fc.constantFrom('SUCCEEDED', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'INTERRUPTED'),
  input: fc.integer({ min: 0, max: 10_000 }),
  output: fc.integer({ min: 0, max: 10_000 }),
  cost: fc.option(fc.bigInt({ min: 0n, max: 10n ** 13n })),
  latency: fc.option(fc.integer({ min: 0, max: 100_000 })),
  // Many on the very borders of hours and days.
  settledAt: fc
    .tuple(
      fc.integer({ min: 0, max: 24 * 5 }),
      fc.oneof(fc.constant(0), fc.constant(hour - 1), fc.integer({ min: 0, max: hour - 1 })),
    )
    .map(([hours, rest]) => base + hours * hour + rest),
});
const moment = fc
  .integer({ min: 0, max: 24 * 5 * 4 })
  .chain((quarters) => fc.constantFrom(base + quarters * 900_000, base + quarters * 900_000 + 1));
const period = fc.tuple(moment, moment).filter(([from, to]) => from < to);

const scaled = (text: string): bigint => BigInt(text.replace('.', ''));

/** The same figures from the rows themselves. */
function bruteForce(rows: readonly Seeded[]) {
  const latencies = rows.flatMap(({ latency }) => latency ?? []).toSorted((left, right) => left - right);
  const bucketAt = (share: number) => {
    const value = latencies[Math.max(1, Math.ceil(share * latencies.length - 1e-9)) - 1];
    return value === undefined ? null : latencyBucket(value);
  };
  return {
    requests: rows.length,
    inputTokens: rows.reduce((sum, { input }) => sum + input, 0),
    outputTokens: rows.reduce((sum, { output }) => sum + output, 0),
    costUsd: rows.reduce((sum, { cost }) => sum + (cost ?? 0n), 0n),
    unpricedRequests: rows.filter(({ cost }) => cost === null).length,
    errors: rows.filter(({ status }) => status === 'FAILED' || status === 'INTERRUPTED').length,
    p50: bucketAt(0.5),
    p95: bucketAt(0.95),
  };
}
const comparable = (figures: UsageFigures) => ({
  requests: figures.requests,
  inputTokens: figures.inputTokens,
  outputTokens: figures.outputTokens,
  costUsd: scaled(figures.costUsd),
  unpricedRequests: figures.unpricedRequests,
  errors: figures.errors,
  p50: figures.latencyMsP50 === null ? null : latencyBucket(figures.latencyMsP50),
  p95: figures.latencyMsP95 === null ? null : latencyBucket(figures.latencyMsP95),
});

const keyOf: Record<UsageGrouping, (row: Seeded) => string> = {
  AGENT: ({ agent }) => agent ?? '',
  MICRODAO: ({ microdao }) => microdao,
  MODEL: ({ model }) => model,
  PROVIDER: ({ provider }) => provider,
  DAY: ({ settledAt }) => new Date(settledAt).toISOString().slice(0, 10),
  HOUR: ({ settledAt }) => `${new Date(settledAt).toISOString().slice(0, 13)}:00:00Z`,
};

describe.each(testDatabaseNames)('usage on %s', (name) => {
  let database: Database;
  let close: () => Promise<void>;

  beforeAll(async () => {
    ({ database, close } = await openMigrated(name));
  });
  afterAll(() => close());
  beforeEach(async () => {
    await database.sql('truncate llm.llm_requests, llm.llm_usage_rollups');
    await database.sql(`update llm.llm_usage_watermark set rolled_up_to = 'epoch'`);
  });

  const insert = (rows: readonly Seeded[]) =>
    database.sql(
      `insert into llm.llm_requests (id, request_id, kind, microdao_id, agent_id, subject, requested_model, provider, model,
         status, input_tokens, output_tokens, cost_usd, process_id, created_at, settled_at, latency_ms)
       select id, '', kind, microdao, agent, '', model, provider, model, status, input, output, cost, id,
         to_timestamp(settled / 1000.0), to_timestamp(settled / 1000.0), latency
       from json_to_recordset($1::json) as row (id uuid, microdao text, agent text, model text, provider text, kind text,
         status text, input bigint, output bigint, cost numeric, latency integer, settled bigint)`,
      [
        JSON.stringify(
          rows.map(({ cost, settledAt, ...row }) => ({
            ...row,
            id: uuidV7(),
            settled: settledAt,
            cost: cost === null ? null : `${cost / 10n ** 10n}.${String(cost % 10n ** 10n).padStart(10, '0')}`,
          })),
        ),
      ],
    );
  const rollUpTo = async (time: number, rowsMax: number) => {
    // As old as the bound asks for.
    const rollup = UsageRollup.start({
      database,
      logger: silentLogger,
      intervalMs: 3_600_000,
      minAgeMs: Date.now() - time,
      rowsMax,
    });
    await rollup.runOnce();
    await rollup.close();
  };

  it('is what the rows add up to, wherever the period is cut, whatever is rolled up already', async () => {
    const grouping = fc.constantFrom<UsageGrouping>('AGENT', 'MICRODAO', 'MODEL', 'PROVIDER', 'DAY', 'HOUR');
    const filter: fc.Arbitrary<UsageFilter> = fc.record(
      {
        agentId: fc.constantFrom('agent:a', 'agent:nobody'),
        provider: fc.constant('openai'),
        model: fc.constant('claude'),
        kind: fc.constant('COMPLETION'),
        status: fc.constantFrom('SUCCEEDED', 'FAILED'),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(seeded, { maxLength: 60 }),
        fc.array(seeded, { maxLength: 10 }),
        fc.array(fc.record({ period, grouping, filter }), { minLength: 3, maxLength: 3 }),
        fc.tuple(moment, moment).map((bounds) => bounds.toSorted((left, right) => left - right)),
        fc.constantFrom(3, 1_000),
        async (rows, late, questions, [firstBound = 0, secondBound = 0], rowsMax) => {
          await database.sql('truncate llm.llm_requests, llm.llm_usage_rollups');
          await database.sql(`update llm.llm_usage_watermark set rolled_up_to = 'epoch'`);
          await insert(rows);
          await rollUpTo(firstBound, rowsMax);
          // Settled after the first roll-up, so not before its bound.
          const later = late.map((row) => ({ ...row, settledAt: Math.max(row.settledAt, firstBound + 60_000) }));
          await insert(later);
          await rollUpTo(secondBound, rowsMax);
          for (const question of questions) {
            const [from, to] = question.period;
            const wanted = [...rows, ...later].filter(
              (row) =>
                row.microdao === microdaoId &&
                row.settledAt >= from &&
                row.settledAt < to &&
                (question.filter.agentId === undefined || row.agent === question.filter.agentId) &&
                (question.filter.provider === undefined || row.provider === question.filter.provider) &&
                (question.filter.model === undefined || row.model === question.filter.model) &&
                (question.filter.kind === undefined || row.kind === question.filter.kind) &&
                (question.filter.status === undefined || row.status === question.filter.status),
            );
            const asked = parsePeriod(`${new Date(from).toISOString()}/${new Date(to).toISOString()}`);
            const { totals, groups } = await readUsage(database, microdaoId, question.filter, asked, question.grouping);
            expect(comparable(totals)).toEqual(bruteForce(wanted));
            const byKey = Map.groupBy(wanted, keyOf[question.grouping]);
            expect(Object.fromEntries(groups.map((group) => [group.key, comparable(group)]))).toEqual(
              Object.fromEntries([...byKey].map(([key, members]) => [key, bruteForce(members)])),
            );
            const { totals: alone } = await readUsage(database, microdaoId, question.filter, asked, undefined);
            expect(comparable(alone)).toEqual(bruteForce(wanted));
          }
        },
      ),
      { numRuns: 25, interruptAfterTimeLimit: 12_000 },
    );
  });

  it('is zero, not null, where nothing was used', async () => {
    const { totals, groups } = await readUsage(database, 'microdao:empty', {}, parsePeriod('30d'), 'MODEL');
    expect(totals).toEqual({
      requests: 0,
      inputTokens: 0,
      outputTokens: 0,
      cachedInputTokens: 0,
      reasoningTokens: 0,
      costUsd: '0.0000000000',
      unpricedRequests: 0,
      errors: 0,
      errorRate: 0,
      latencyMsP50: null,
      latencyMsP95: null,
    });
    expect(groups).toEqual([]);
  });

  // One transaction runs at a time on the embedded one.
  it.skipIf(name === 'embedded')('never rolls up past a transaction that may still settle', async () => {
    const now = Date.now();
    const row = {
      microdao: microdaoId,
      agent: null,
      model: 'm',
      provider: 'openai',
      kind: 'COMPLETION',
      status: 'SUCCEEDED',
      input: 1,
      output: 1,
      cost: 1n,
      latency: 1,
    } as const;
    await insert([{ ...row, settledAt: now - 10_000 }]);
    const late = database.transaction(async (sql) => {
      await sql('select 1');
      const rollup = UsageRollup.start({ database, logger: silentLogger, intervalMs: 3_600_000, minAgeMs: -60_000 });
      await rollup.runOnce();
      await rollup.close();
      await sql(
        `insert into llm.llm_requests (id, request_id, kind, microdao_id, subject, requested_model, provider, model, status, process_id, created_at, settled_at)
         values ($1, '', 'COMPLETION', $2, '', 'm', 'openai', 'm', 'SUCCEEDED', $1, now(), now())`,
        [uuidV7(), microdaoId],
      );
    });
    await late;
    const { totals } = await readUsage(database, microdaoId, {}, parsePeriod('1h'), undefined);
    expect(totals.requests).toBe(2);
  });
});
