import type { FastifyReply } from 'fastify';
import { AppError } from '#platform/errors.ts';

export interface SignalOptions {
  /** When the caller's token ends. */
  readonly expiresAt?: Date;
  readonly stopSignal?: AbortSignal | undefined;
}

/** setTimeout holds no longer waits; no stream lives this long. */
const timeoutMsMax = 2_147_483_647;

/**
 * A signal that aborts, with an AppError as reason, when the client leaves before the answer is complete, when its
 * token ends, or when the process stops.
 *
 * @returns the signal, and what frees it once the answer is complete
 */
export function abortSignalOf(
  reply: FastifyReply,
  { expiresAt, stopSignal }: SignalOptions = {},
): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const { raw } = reply;
  raw.once('close', () => {
    if (!raw.writableFinished)
      controller.abort(new AppError('CLIENT_CLOSED_REQUEST', 'The client left before the answer was complete.'));
  });

  const remainingMs = expiresAt === undefined ? Infinity : expiresAt.getTime() - Date.now();
  const expire = () => controller.abort(new AppError('UNAUTHENTICATED', 'The token has expired.'));
  const timer = remainingMs < timeoutMsMax ? setTimeout(expire, Math.max(0, remainingMs)).unref() : undefined;

  const stop = () =>
    controller.abort(new AppError('SHUTTING_DOWN', 'This process is stopping; try again.', { retryAfterMs: 1_000 }));
  if (stopSignal?.aborted === true) stop();
  stopSignal?.addEventListener('abort', stop, { once: true });

  return {
    signal: controller.signal,
    release: () => {
      clearTimeout(timer);
      stopSignal?.removeEventListener('abort', stop);
    },
  };
}
