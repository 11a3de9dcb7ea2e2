import { AppError, type ErrorCode } from '#platform/errors.ts';
import type { FinalStatus } from './usage-ledger-rows.ts';

/** A signal for one request's upstream work: aborted when the client leaves, the deadline is over, or `abort` is called. */
export interface RequestDeadline {
  readonly signal: AbortSignal;
  /** The client left, or the last reader did. */
  abort(reason?: unknown): void;
  /** Stops the clock and lets go of the client's signal. */
  release(): void;
}

const clientLeft = () => new AppError('CLIENT_CLOSED_REQUEST', 'The client left before the answer was complete.');

/**
 * @param client the client's own signal; undefined for work that outlives one client
 * @param timeoutMs how long the request may take in all
 */
export function startDeadline(timeoutMs: number, client?: AbortSignal): RequestDeadline {
  const controller = new AbortController();
  const abort = (reason?: unknown) => controller.abort(reason instanceof AppError ? reason : clientLeft());
  const onClientAbort = () => abort(client?.reason);
  const timer = setTimeout(
    () => controller.abort(new AppError('DEADLINE_EXCEEDED', `The request was not done within ${timeoutMs} ms.`)),
    timeoutMs,
  );
  timer.unref();
  if (client?.aborted === true) onClientAbort();
  else client?.addEventListener('abort', onClientAbort, { once: true });
  return {
    signal: controller.signal,
    abort,
    release() {
      clearTimeout(timer);
      client?.removeEventListener('abort', onClientAbort);
    },
  };
}

export interface Failure {
  readonly status: Exclude<FinalStatus, 'SUCCEEDED'>;
  readonly errorCode: ErrorCode;
  /** What the caller is told. */
  readonly error: unknown;
}

/** How a request that threw ends in the ledger: a client that left has CANCELLED it, all else has FAILED. */
export function failureOf(error: unknown, signal: AbortSignal): Failure {
  const cause: unknown = signal.aborted ? signal.reason : error;
  const errorCode = cause instanceof AppError ? cause.code : 'INTERNAL_ERROR';
  return { status: errorCode === 'CLIENT_CLOSED_REQUEST' ? 'CANCELLED' : 'FAILED', errorCode, error: cause };
}
