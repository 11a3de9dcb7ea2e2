import type { Database } from '#platform/database.ts';
import { invalidInput } from '#platform/errors.ts';
import type { LlmUsage, LlmUsageFigures, LlmUsageGroup } from './resolver-types.ts';
import { readUsage, type UsageFigures } from './usage.ts';
import type { Period } from './usage-period.ts';
import type { UsageFilter, UsageGrouping } from './usage-statement.ts';

/** Usage before its groups are asked for. */
export type UsageParent = Omit<LlmUsage, 'groups'> & {
  readonly readGroups: (by: UsageGrouping | undefined) => Promise<LlmUsageGroup[]>;
};

const hourlyDaysMax = 62;

/**
 * Totals now, groups when a resolver asks for them; with `groupBy` one query gives both.
 *
 * @param microdaoId checked by `@access`
 */
export async function openUsage(
  database: Database,
  microdaoId: string,
  filter: UsageFilter,
  period: Period,
  groupBy: UsageGrouping | undefined,
): Promise<LlmUsage> {
  checkGrouping(groupBy, period, 'groupBy');
  const read = await readUsage(database, microdaoId, filter, period, groupBy);
  const parent: UsageParent = {
    microdaoId,
    agentId: filter.agentId ?? null,
    from: period.from,
    to: period.to,
    period: period.text,
    totals: toFigures(read.totals),
    async readGroups(by = groupBy) {
      checkGrouping(by, period, 'by');
      if (by === undefined) return [];
      const { groups } = by === groupBy ? read : await readUsage(database, microdaoId, filter, period, by);
      return groups.map((group) => ({ key: group.key, ...toFigures(group) }));
    },
  };
  return parent as unknown as LlmUsage;
}

function checkGrouping(grouping: UsageGrouping | undefined, period: Period, path: string): void {
  const days = (period.to.getTime() - period.from.getTime()) / 86_400_000;
  if (grouping === 'HOUR' && days > hourlyDaysMax) {
    throw invalidInput([{ path, reason: `may be HOUR for periods of at most ${hourlyDaysMax} days` }]);
  }
}

/** Exact until here; at the edge money is a Float. */
const toFigures = (figures: UsageFigures): LlmUsageFigures => ({ ...figures, costUsd: Number(figures.costUsd) });
