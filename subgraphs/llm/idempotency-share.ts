import { unlessAborted, type Joinable } from './idempotency.ts';
import type { RequestDeadline } from './request-deadline.ts';

/**
 * Work with an idempotency key while it runs: one upstream call, any number of callers who wait for its answer. When
 * the last one has left, it gets a short grace for a reconnection with the same key, and is then aborted.
 */
export class SharedAnswer<Answer> implements Joinable {
  protected readonly deadline: RequestDeadline;
  protected isDone = false;
  readonly ended: Promise<void>;
  readonly #graceMs: number;
  readonly #answer = Promise.withResolvers<Answer>();
  #callers = 0;
  #graceTimer: NodeJS.Timeout | undefined;

  /** @param work begins at once; resolves when the request is settled, with the answer given to `resolve` by then */
  constructor(deadline: RequestDeadline, graceMs: number, work: (resolve: (answer: Answer) => void) => Promise<void>) {
    this.deadline = deadline;
    this.#graceMs = graceMs;
    // Waited for by those who want the answer; nobody has to.
    this.#answer.promise.catch(() => {});
    this.ended = work(this.#answer.resolve)
      .catch(this.#answer.reject)
      .finally(() => {
        this.isDone = true;
        clearTimeout(this.#graceTimer);
      });
  }

  join(): boolean {
    if (this.isDone || this.deadline.signal.aborted) return false;
    clearTimeout(this.#graceTimer);
    this.#callers += 1;
    return true;
  }

  /** To be called once for each `join`. */
  leave(): void {
    this.#callers -= 1;
    if (this.#callers > 0 || this.isDone) return;
    this.#graceTimer = setTimeout(() => this.deadline.abort(), this.#graceMs);
    this.#graceTimer.unref();
  }

  /** For a caller who has joined. Rejects as the work fails, or with the signal's reason. */
  answer(signal: AbortSignal): Promise<Answer> {
    return unlessAborted(this.#answer.promise, signal);
  }
}
