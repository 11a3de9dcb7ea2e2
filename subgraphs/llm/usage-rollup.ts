import type { Database } from '#platform/database.ts';
import type { Logger } from '#platform/logging.ts';
import { startJob, type BackgroundJob } from './background-job.ts';

export interface UsageRollupOptions {
  readonly database: Database;
  readonly logger: Logger;
  /** Default 60,000. */
  readonly intervalMs?: number;
  /** How old a settlement is at least when it is rolled up, in milliseconds. Default 120,000. */
  readonly minAgeMs?: number;
  /** Rows taken in one transaction, so that none is long. Default 20,000. */
  readonly rowsMax?: number;
}

const roundsMax = 10_000;

/**
 * How far the books can't change any more. Every `settled_at` is its transaction's start, and so is `xact_start` in
 * pg_stat_activity: a transaction that is open now, or begins later, writes only settlements at or after this bound;
 * all others have committed and are seen by the statement that comes next. The minimum age covers the clock being set
 * back by less. (On the embedded Postgres one transaction runs at a time, so none is open here.)
 */
const boundStatement = `select least(now() - $1::float8 * interval '1 millisecond',
  (select min(xact_start) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()))::text as bound`;

/**
 * Adds what was settled from the watermark up to $1, at most about $2 rows, to the hours and days, and moves the
 * watermark: one transaction, so a row counts either there or, for readers, among the rows after the watermark. Another
 * process doing the same holds the watermark's row; then nothing is done here.
 */
const rollUpStatement = `with mark as (
  select rolled_up_to from llm.llm_usage_watermark for update skip locked
), chunk as (
  select (select settled_at from llm.llm_requests where settled_at >= mark.rolled_up_to and settled_at < $1::timestamptz
          order by settled_at offset $2 limit 1) as full_at, mark.rolled_up_to
  from mark
), upto as (
  -- A batch shares one settled_at; more rows than a chunk at the very same moment are taken together.
  select case when full_at = rolled_up_to then full_at + interval '1 microsecond' else coalesce(full_at, greatest($1::timestamptz, rolled_up_to)) end as bound,
    rolled_up_to, full_at is not null as is_full
  from chunk
), buckets as (
  select date_trunc('hour', settled_at, 'UTC') as hour, microdao_id, coalesce(agent_id, '') as agent_id, kind, provider,
    model, status, llm.latency_bucket(latency_ms) as bucket, count(*) as requests,
    count(*) filter (where cost_usd is null) as unpriced_requests, sum(input_tokens) as input_tokens,
    sum(output_tokens) as output_tokens, sum(cached_input_tokens) as cached_input_tokens,
    sum(reasoning_tokens) as reasoning_tokens, coalesce(sum(cost_usd), 0) as cost_usd
  from upto join llm.llm_requests on settled_at >= upto.rolled_up_to and settled_at < upto.bound
  group by 1, 2, 3, 4, 5, 6, 7, 8
), written as (
  insert into llm.llm_usage_rollups as rollup (grain, starts_at, microdao_id, agent_id, kind, provider, model, status,
    requests, unpriced_requests, input_tokens, output_tokens, cached_input_tokens, reasoning_tokens, cost_usd, latencies)
  select grain, date_trunc(grain, hour, 'UTC'), microdao_id, agent_id, kind, provider, model, status, sum(requests),
    sum(unpriced_requests), sum(input_tokens), sum(output_tokens), sum(cached_input_tokens), sum(reasoning_tokens),
    sum(cost_usd), coalesce(string_agg(bucket || ':' || requests, ','), '')
  from buckets cross join (values ('hour'), ('day')) as grains (grain)
  group by 1, 2, 3, 4, 5, 6, 7, 8
  on conflict (microdao_id, grain, starts_at, agent_id, kind, provider, model, status) do update set
    requests = rollup.requests + excluded.requests,
    unpriced_requests = rollup.unpriced_requests + excluded.unpriced_requests,
    input_tokens = rollup.input_tokens + excluded.input_tokens,
    output_tokens = rollup.output_tokens + excluded.output_tokens,
    cached_input_tokens = rollup.cached_input_tokens + excluded.cached_input_tokens,
    reasoning_tokens = rollup.reasoning_tokens + excluded.reasoning_tokens,
    cost_usd = rollup.cost_usd + excluded.cost_usd,
    latencies = llm.add_histograms(rollup.latencies, excluded.latencies)
), moved as (
  update llm.llm_usage_watermark set rolled_up_to = upto.bound from upto
)
select is_full from upto`;

/** Sums up settled requests by hour and day in the background, so that llmUsage reads few rows. */
export class UsageRollup {
  readonly #options: UsageRollupOptions;
  readonly #job: BackgroundJob;

  private constructor(options: UsageRollupOptions) {
    this.#options = options;
    this.#job = startJob('usage roll-up', options.intervalMs ?? 60_000, options.logger, () => this.#rollUp());
  }

  static start(options: UsageRollupOptions): UsageRollup {
    return new UsageRollup(options);
  }

  /** Rolls up all that is old enough, now. */
  runOnce(): Promise<void> {
    return this.#job.runNow();
  }

  close(): Promise<void> {
    return this.#job.stop();
  }

  async #rollUp(): Promise<void> {
    const { database, minAgeMs = 120_000, rowsMax = 20_000 } = this.#options;
    const [result] = await database.sql<{ bound: string }>(boundStatement, [minAgeMs]);
    if (result === undefined) throw new Error('PostgreSQL gave no bound for the roll-up');
    for (let round = 0; round < roundsMax; round += 1) {
      const [done] = await database.sql<{ is_full: boolean }>(rollUpStatement, [result.bound, rowsMax]);
      if (done?.is_full !== true) return;
    }
  }
}
