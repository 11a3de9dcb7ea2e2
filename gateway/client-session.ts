import { AppError } from '#platform/errors.ts';
import type { Lifecycle } from '#platform/lifecycle.ts';
import type { AuthenticatedCaller } from './authentication.ts';

export interface ClientSessionOptions {
  readonly authenticated: AuthenticatedCaller;
  /** Asked again now and then: a token may be revoked while its stream goes on. */
  readonly authenticateAgain: () => Promise<AuthenticatedCaller>;
  readonly lifecycle?: Lifecycle | undefined;
}

const checkIntervalMs = 5_000;
// setTimeout takes no more than 2^31 - 1 ms; a token may live longer.
const timeoutMsMax = 2_147_483_647;

/**
 * The time that a connection may stream for: until its client leaves, its token expires or is revoked, or the process
 * stops. The reason of the signal is an AppError for the client.
 */
export class ClientSession {
  readonly #controller = new AbortController();
  readonly #options: ClientSessionOptions;
  readonly #checks: NodeJS.Timeout;
  readonly #onShutdown = () =>
    this.end(new AppError('SHUTTING_DOWN', 'This process is stopping; connect again.', { retryAfterMs: 1_000 }));
  #expiry: NodeJS.Timeout | undefined;

  constructor(options: ClientSessionOptions) {
    this.#options = options;
    this.#checks = setInterval(() => this.#check(), checkIntervalMs).unref();
    this.#awaitExpiry();
    const shutdown = options.lifecycle?.signal;
    if (shutdown?.aborted === true) this.#onShutdown();
    else shutdown?.addEventListener('abort', this.#onShutdown, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(reason: AppError): void {
    clearInterval(this.#checks);
    clearTimeout(this.#expiry);
    this.#options.lifecycle?.signal.removeEventListener('abort', this.#onShutdown);
    this.#controller.abort(reason);
  }

  #awaitExpiry(): void {
    const { expiresAt } = this.#options.authenticated;
    const leftMs = expiresAt.getTime() - Date.now();
    if (leftMs <= 0) {
      this.end(new AppError('UNAUTHENTICATED', `The token expired at ${expiresAt.toISOString()}.`));
      return;
    }
    this.#expiry = setTimeout(() => this.#awaitExpiry(), Math.min(leftMs, timeoutMsMax)).unref();
  }

  #check(): void {
    this.#options.authenticateAgain().catch((error: unknown) => {
      // That the issuer's keys cannot be fetched just now says nothing about this token.
      if (error instanceof AppError && error.code === 'UNAUTHENTICATED') this.end(error);
    });
  }
}

/** What the reason of an aborted signal tells a client. */
export function abortReason(signal: AbortSignal): AppError {
  return signal.reason instanceof AppError
    ? signal.reason
    : new AppError('CLIENT_CLOSED_REQUEST', 'The client left before the answer was complete.');
}
