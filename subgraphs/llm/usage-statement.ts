import type { Period } from './usage-period.ts';

export type UsageGrouping = 'AGENT' | 'MICRODAO' | 'MODEL' | 'PROVIDER' | 'DAY' | 'HOUR';

export interface UsageFilter {
  readonly agentId?: string | undefined;
  readonly provider?: string | undefined;
  readonly model?: string | undefined;
  readonly kind?: string | undefined;
  readonly status?: string | undefined;
}

/** One group as PostgreSQL gives it; bigint and numeric come as text. */
export interface UsageRow {
  readonly key: string | null;
  readonly requests: string;
  readonly unpriced_requests: string;
  readonly errors: string;
  readonly input_tokens: string;
  readonly output_tokens: string;
  readonly cached_input_tokens: string;
  readonly reasoning_tokens: string;
  readonly cost_usd: string;
  /** `bucket:count` pairs. */
  readonly latencies: string | null;
}

const hourMs = 3_600_000;
const dayMs = 86_400_000;

/** What a group is called, from a row's columns and `$time`, the moment it belongs to. */
const keys: Readonly<Record<UsageGrouping, string>> = {
  AGENT: `coalesce(agent_id, '')`,
  MICRODAO: 'microdao_id',
  MODEL: 'model',
  PROVIDER: 'provider',
  DAY: `to_char($time at time zone 'UTC', 'YYYY-MM-DD')`,
  HOUR: `to_char($time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:00:00"Z"')`,
};

/**
 * The statement that reads usage: whole days and hours from the roll-ups, which hold what was settled before the
 * watermark; from the rows the hours that the period cuts, and what was settled since.
 *
 *     from      first hour   first day         last day   last hour   to
 *      |--rows------|----hours----|------days------|---hours----|-rows--|     and rows ≥ watermark
 */
export function buildUsageStatement(
  microdaoId: string,
  filter: UsageFilter,
  period: Period,
  grouping: UsageGrouping | undefined,
): { readonly text: string; readonly values: readonly unknown[] } {
  const values: unknown[] = [];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const time = (value: number): string =>
    value === Infinity ? `'infinity'::timestamptz` : `${bind(new Date(value).toISOString())}::timestamptz`;

  const columns = {
    agent_id: filter.agentId,
    provider: filter.provider,
    model: filter.model,
    kind: filter.kind,
    status: filter.status,
  };
  const wanted = [['microdao_id', microdaoId] as const, ...Object.entries(columns)]
    .filter(([, value]) => value !== undefined)
    .map(([column, value]) => `${column} = ${bind(value)}`)
    .join(' and ');
  const key = (moment: string): string => (grouping === undefined ? `''` : keys[grouping].replaceAll('$time', moment));

  const from = period.from.getTime();
  const to = period.isUntilNow ? Infinity : period.to.getTime();
  const floor = (value: number, lengthMs: number): number =>
    value === Infinity ? Infinity : Math.floor(value / lengthMs) * lengthMs;
  const firstHour = Math.min(Math.ceil(from / hourMs) * hourMs, to);
  const lastHour = Math.max(floor(to, hourMs), firstHour);
  // By hours, a day's sum is of no use.
  const firstDay = grouping === 'HOUR' ? lastHour : Math.min(Math.ceil(firstHour / dayMs) * dayMs, lastHour);
  const lastDay = grouping === 'HOUR' ? lastHour : Math.max(floor(lastHour, dayMs), firstDay);

  const rollups = (grain: 'hour' | 'day', start: number, end: number): string[] =>
    start >= end
      ? []
      : [
          `select ${key('starts_at')} as key, status, requests, unpriced_requests, input_tokens, output_tokens,
          cached_input_tokens, reasoning_tokens, cost_usd, latencies
        from llm.llm_usage_rollups
        where ${wanted} and grain = '${grain}' and starts_at >= ${time(start)} and starts_at < ${time(end)}`,
        ];
  const rows = (start: number, end: number, condition = ''): string[] =>
    start >= end
      ? []
      : [
          `select ${key('settled_at')} as key, status, count(*) as requests, count(*) filter (where cost_usd is null),
          sum(input_tokens), sum(output_tokens), sum(cached_input_tokens), sum(reasoning_tokens),
          coalesce(sum(cost_usd), 0), coalesce(llm.latency_bucket(latency_ms) || ':' || count(*), '')
        from llm.llm_requests
        where ${wanted} and settled_at >= ${time(start)} and settled_at < ${time(end)}${condition}
        group by 1, 2, llm.latency_bucket(latency_ms)`,
        ];

  const parts = [
    ...rollups('day', firstDay, lastDay),
    ...rollups('hour', firstHour, firstDay),
    ...rollups('hour', lastDay, lastHour),
    ...rows(from, firstHour),
    ...rows(lastHour, to),
    ...rows(firstHour, lastHour, ' and settled_at >= (select rolled_up_to from llm.llm_usage_watermark)'),
  ];
  const text = `select key, sum(requests) as requests, sum(unpriced_requests) as unpriced_requests,
      coalesce(sum(requests) filter (where status in ('FAILED', 'INTERRUPTED')), 0) as errors,
      sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens,
      sum(cached_input_tokens) as cached_input_tokens, sum(reasoning_tokens) as reasoning_tokens,
      sum(cost_usd)::numeric(40, 10)::text as cost_usd, string_agg(nullif(latencies, ''), ',') as latencies
    from (${parts.join(' union all ')}) as part (key, status, requests, unpriced_requests, input_tokens, output_tokens,
      cached_input_tokens, reasoning_tokens, cost_usd, latencies)
    group by key`;
  return { text, values };
}
