import type { InferEntity } from '@mikro-orm/core';
import type { Database } from '#platform/database.ts';
import { invalidInput } from '#platform/errors.ts';
import { LlmAttemptEntity, LlmRequestEntity } from './entities.ts';
import type { Period } from './usage-period.ts';
import type { UsageFilter } from './usage-statement.ts';
import { timeOfUuidV7 } from './uuid-v7.ts';

export type LlmRequestRow = InferEntity<typeof LlmRequestEntity>;
export type LlmAttemptRow = InferEntity<typeof LlmAttemptEntity>;

export interface RequestPage {
  readonly rows: readonly LlmRequestRow[];
  readonly hasNextPage: boolean;
  /** A request's attempts in order; the first call reads those of the whole page in one query. */
  attemptsOf(id: string): Promise<readonly LlmAttemptRow[]>;
}

const firstMax = 100;
const cursorVersion = 'r1:';

export const requestCursor = (id: string): string => Buffer.from(cursorVersion + id).toString('base64url');

function idOfCursor(cursor: string): string {
  const text = cursor.length > 200 ? '' : Buffer.from(cursor, 'base64url').toString('latin1');
  const id = text.startsWith(cursorVersion) ? text.slice(cursorVersion.length) : '';
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return id;
  throw invalidInput([{ path: 'after', reason: 'must be a cursor that an earlier page gave' }]);
}

/** @throws AppError INVALID_INPUT unless 1 to 100 */
export function checkFirst(first: number): number {
  if (first >= 1 && first <= firstMax) return first;
  throw invalidInput([{ path: 'first', reason: `must be between 1 and ${firstMax}` }]);
}

/**
 * Requests of a microDAO by when they were created, newest first; ids are in that order, so they are the cursor.
 *
 * @param microdaoId checked by `@access`
 */
export async function readRequests(
  database: Database,
  microdaoId: string,
  filter: UsageFilter,
  period: Period,
  page: { readonly first: number; readonly after?: string | null | undefined },
): Promise<RequestPage> {
  const first = checkFirst(page.first);
  const after = page.after == null ? undefined : idOfCursor(page.after);
  // Ids are in the order of their times: both bounds together are the page's beginning.
  const createdAt = {
    $gte: period.from,
    ...(period.isUntilNow ? {} : { $lt: period.to }),
    ...(after === undefined ? {} : { $lte: new Date(timeOfUuidV7(after)) }),
  };
  const { agentId, provider, model, kind, status } = filter;
  const columns = Object.entries({ agentId, provider, model, kind, status }).filter(([, value]) => value !== undefined);
  const where = {
    microdaoId,
    createdAt,
    ...(after === undefined ? {} : { id: { $lt: after } }),
    ...Object.fromEntries(columns),
  };
  const rows = await database.withEntities((entities) =>
    entities.find(LlmRequestEntity, where as object, {
      orderBy: { createdAt: 'desc', id: 'desc' },
      limit: first + 1,
      disableIdentityMap: true,
    }),
  );
  const shown = rows.slice(0, first) as readonly LlmRequestRow[];
  let attempts: Promise<Map<string, LlmAttemptRow[]>> | undefined;
  return {
    rows: shown,
    hasNextPage: rows.length > first,
    async attemptsOf(id) {
      attempts ??= readAttempts(
        database,
        shown.map((row) => row.id),
      );
      return (await attempts).get(id) ?? [];
    },
  };
}

/** @param ids of requests that were read for their microDAO */
async function readAttempts(database: Database, ids: readonly string[]): Promise<Map<string, LlmAttemptRow[]>> {
  const rows = await database.withEntities((entities) =>
    entities.find(LlmAttemptEntity, { llmRequestId: { $in: [...ids] } } as object, {
      orderBy: { llmRequestId: 'asc', number: 'asc' } as object,
      disableIdentityMap: true,
    }),
  );
  return Map.groupBy(rows as unknown as readonly LlmAttemptRow[], (row) => row.llmRequestId);
}
