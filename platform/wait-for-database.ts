import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { connectionFailure } from './database-errors.ts';
import { AppError } from './errors.ts';

const ATTEMPT_TIMEOUT_MS = 5_000;
const PAUSE_MS = 500;

/** Wrong password, not allowed, no such database: waiting does not mend these. */
const finalStates = new Set(['28P01', '28000', '3D000']);

export interface WaitForDatabaseOptions {
  /** How long to go on trying. Default 30,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Resolves as soon as the database answers a query.
 *
 * @throws AppError DATABASE_UNAVAILABLE with one line for the user: where, and why not; never the password
 */
export async function waitForDatabase(connectionString: string, options: WaitForDatabaseOptions = {}): Promise<void> {
  const timeoutMs = options.timeoutMs ?? 30_000;
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const leftMs = deadline - Date.now();
    const error = await tryOnce(connectionString, Math.max(1, Math.min(ATTEMPT_TIMEOUT_MS, leftMs)));
    if (error === undefined) return;
    const final = finalStates.has(String((error as { code?: unknown }).code)) || (error as { code?: unknown }).code === 'ERR_INVALID_URL';
    if (final || Date.now() + PAUSE_MS >= deadline) {
      const waited = final ? '' : ` within ${timeoutMs / 1000} s`;
      throw new AppError(
        'DATABASE_UNAVAILABLE',
        `PostgreSQL at ${placeOf(connectionString)} cannot be used${waited}: ${connectionFailure(error)} (check DATABASE_URL)`,
        { cause: error },
      );
    }
    await delay(PAUSE_MS, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}

async function tryOnce(connectionString: string, timeoutMs: number): Promise<unknown> {
  let client: pg.Client | undefined;
  try {
    client = new pg.Client({ connectionString, connectionTimeoutMillis: timeoutMs, query_timeout: timeoutMs });
    // A connection that breaks after its failure was reported has nothing more to say.
    client.on('error', () => undefined);
    await client.connect();
    await client.query('select 1');
    return undefined;
  } catch (error) {
    return error;
  } finally {
    await client?.end().catch(() => undefined);
  }
}

/** Host, port and database of a connection string. */
function placeOf(connectionString: string): string {
  try {
    const url = new URL(connectionString);
    const host = url.searchParams.get('host') ?? (url.hostname === '' ? 'localhost' : url.hostname);
    return host.startsWith('/') ? `${host}${url.pathname}` : `${host}:${url.port === '' ? '5432' : url.port}${url.pathname}`;
  } catch {
    return 'an address that is no URL';
  }
}
