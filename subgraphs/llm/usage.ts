import { Decimal } from 'decimal.js';
import type { Database } from '#platform/database.ts';
import type { Period } from './usage-period.ts';
import { LatencyHistogram } from './usage-percentiles.ts';
import { buildUsageStatement, type UsageFilter, type UsageGrouping, type UsageRow } from './usage-statement.ts';

export interface UsageFigures {
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens: number;
  readonly reasoningTokens: number;
  /** The exact sum of what has a price, `numeric` text. */
  readonly costUsd: string;
  readonly unpricedRequests: number;
  /** FAILED and INTERRUPTED; a client that left is no error. */
  readonly errors: number;
  readonly errorRate: number;
  readonly latencyMsP50: number | null;
  readonly latencyMsP95: number | null;
}

export interface UsageGroup extends UsageFigures {
  /** An id, a name, a day (`2026-11-01`) or an hour (`2026-11-01T13:00:00Z`); `''` is what named no agent. */
  readonly key: string;
}

export interface Usage {
  readonly totals: UsageFigures;
  /** Days and hours in order, all else by cost, highest first. */
  readonly groups: readonly UsageGroup[];
}

const Exact = Decimal.clone({ precision: 60, toExpNeg: -30, toExpPos: 60 });

/**
 * What a microDAO used. A request counts when it was settled: from then on its figures never change, so what was once
 * told of a past hour stays. Running requests are not in it.
 *
 * Exact but for the percentiles (within 2 %). Whole hours and days come from the roll-ups; the rest, and what was
 * settled since the last roll-up, from the rows, in one statement and so in one snapshot.
 *
 * @param microdaoId checked by `@access`
 * @param grouping undefined: totals only
 */
export async function readUsage(
  database: Database,
  microdaoId: string,
  filter: UsageFilter,
  period: Period,
  grouping: UsageGrouping | undefined,
): Promise<Usage> {
  const { text, values } = buildUsageStatement(microdaoId, filter, period, grouping);
  const rows = await database.sql<UsageRow>(text, values);
  const histograms = rows.map((row) => new LatencyHistogram().add(row.latencies ?? ''));
  const groups = rows.map((row, index) => ({
    key: row.key ?? '',
    ...figures(row, histograms[index] ?? new LatencyHistogram()),
  }));
  const totals = grouping === undefined && groups.length === 1 ? groups[0] : undefined;
  return {
    totals: totals ?? total(groups, histograms),
    groups: grouping === undefined ? [] : groups.toSorted(grouping === 'DAY' || grouping === 'HOUR' ? byKey : byCost),
  };
}

const byKey = (left: UsageGroup, right: UsageGroup): number => (left.key < right.key ? -1 : 1);
const byCost = (left: UsageGroup, right: UsageGroup): number =>
  Number(right.costUsd) - Number(left.costUsd) || right.requests - left.requests || byKey(left, right);

function figures(row: UsageRow, latencies: LatencyHistogram): UsageFigures {
  const requests = Number(row.requests);
  const errors = Number(row.errors);
  return {
    requests,
    inputTokens: Number(row.input_tokens),
    outputTokens: Number(row.output_tokens),
    cachedInputTokens: Number(row.cached_input_tokens),
    reasoningTokens: Number(row.reasoning_tokens),
    costUsd: row.cost_usd,
    unpricedRequests: Number(row.unpriced_requests),
    errors,
    errorRate: requests === 0 ? 0 : errors / requests,
    latencyMsP50: latencies.percentile(0.5),
    latencyMsP95: latencies.percentile(0.95),
  };
}

function total(groups: readonly UsageFigures[], histograms: readonly LatencyHistogram[]): UsageFigures {
  const all = histograms.reduce((sum, histogram) => sum.merge(histogram), new LatencyHistogram());
  const sum = (
    field:
      | 'requests'
      | 'inputTokens'
      | 'outputTokens'
      | 'cachedInputTokens'
      | 'reasoningTokens'
      | 'unpricedRequests'
      | 'errors',
  ) => groups.reduce((result, group) => result + group[field], 0);
  const requests = sum('requests');
  const errors = sum('errors');
  return {
    requests,
    inputTokens: sum('inputTokens'),
    outputTokens: sum('outputTokens'),
    cachedInputTokens: sum('cachedInputTokens'),
    reasoningTokens: sum('reasoningTokens'),
    costUsd: groups.reduce((result, { costUsd }) => result.plus(costUsd), new Exact(0)).toFixed(10),
    unpricedRequests: sum('unpricedRequests'),
    errors,
    errorRate: requests === 0 ? 0 : errors / requests,
    latencyMsP50: all.percentile(0.5),
    latencyMsP95: all.percentile(0.95),
  };
}
