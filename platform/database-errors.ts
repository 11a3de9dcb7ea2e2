import { AppError } from './errors.ts';

/** Errors of the operating system that mean nobody is there to answer. */
const unreachableCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
]);

/**
 * SQLSTATEs of a server that cannot serve now: statement timeout (57014), shutting down, crashed, starting up
 * (57P01–57P03), idle in a transaction for too long (25P03), and the classes 08 (connection) and 53 (too many
 * connections, disk full, out of memory).
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const unavailableStates = new Set(['57014', '57P01', '57P02', '57P03', '25P03']);

/** What pg says without any code. */
const unavailableMessages =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Query read timeout|Client was closed|Cannot use a pool after calling end)/;

/** True when the database could not be reached or gave no answer in time, so that another try may succeed. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  if (
    typeof code === 'string' &&
    (unreachableCodes.has(code) || unavailableStates.has(code) || /^(08|53)...$/.test(code))
  )
    return true;
  if (unavailableMessages.test(error.message)) return true;
  // MikroORM wraps pg's errors, Node wraps the tries of several addresses.
  if (error instanceof AggregateError) return error.errors.some(isDatabaseUnavailable);
  return isDatabaseUnavailable(error.cause ?? (error as { previous?: unknown }).previous);
}

/** The same error, or DATABASE_UNAVAILABLE in place of one that says so in some other way. */
export function translateDatabaseError(error: unknown): unknown {
  if (error instanceof AppError || !isDatabaseUnavailable(error)) return error;
  return new AppError('DATABASE_UNAVAILABLE', 'The database does not answer.', { cause: error });
}

/** One line on why a connection failed, without the password that a URL may hold. */
export function connectionFailure(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map((each: unknown) => connectionFailure(each)).join(', ');
  }
  return error instanceof Error ? error.message : String(error);
}
