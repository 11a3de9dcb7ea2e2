import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from './logging.ts';

export interface LifecycleOptions {
  readonly logger: Logger;
  /** How long requests and streams under way may go on after the stop was asked for. Default 10 s. */
  readonly drainTimeoutMs?: number;
  /** How long one thing may take to close before the next is closed all the same. Default 5 s. */
  readonly closeTimeoutMs?: number;
}

/**
 * How a process ends: it turns unready, lets work under way finish, ends the streams that are left with a retryable
 * error, and closes what was opened in reverse order.
 */
export class Lifecycle {
  readonly #logger: Logger;
  readonly #drainTimeoutMs: number;
  readonly #closeTimeoutMs: number;
  readonly #closers: { name: string; close: () => Promise<unknown> | unknown }[] = [];
  #underWay = 0;
  #onIdle: (() => void) | undefined;
  readonly #stop = new AbortController();
  #shutdown: Promise<void> | undefined;

  constructor({ logger, drainTimeoutMs = 10_000, closeTimeoutMs = 5_000 }: LifecycleOptions) {
    this.#logger = logger;
    this.#drainTimeoutMs = drainTimeoutMs;
    this.#closeTimeoutMs = closeTimeoutMs;
  }

  /** True from the moment a stop was asked for: no new work, `/health/ready` answers 503. */
  get draining(): boolean {
    return this.#shutdown !== undefined;
  }

  /** Aborted when the time to finish is over; streams then end with SHUTTING_DOWN. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Work that a stop waits for, at most the drain time. Call what it returns, once, when the work is done. */
  begin(): () => void {
    this.#underWay += 1;
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      this.#underWay -= 1;
      if (this.#underWay === 0) this.#onIdle?.();
    };
  }

  /** Closed in reverse order of registration, after the drain. */
  onClose(name: string, close: () => Promise<unknown> | unknown): void {
    this.#closers.push({ name, close });
  }

  /** Safe to call twice: the second call waits for the first. */
  shutdown(): Promise<void> {
    this.#shutdown ??= this.#run();
    return this.#shutdown;
  }

  #idle(timeoutMs: number): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #run(): Promise<void> {
    await this.#idle(this.#drainTimeoutMs);
    this.#stop.abort();
    // What the abort ends needs a moment to say so to its client.
    await this.#idle(farewellMs);
    for (const { name, close } of this.#closers.toReversed()) {
      try {
        const late = Symbol('late');
        const outcome = await Promise.race([close(), sleep(this.#closeTimeoutMs, late, { ref: false })]);
        if (outcome === late)
          this.#logger.error({ closing: name }, `${name} did not close in ${this.#closeTimeoutMs} ms`);
      } catch (error) {
        // One part that cannot close must not keep the others from flushing what they hold.
        this.#logger.error({ err: error, closing: name }, `${name} failed to close`);
      }
    }
  }
}

const farewellMs = 1_000;

/**
 * SIGTERM and SIGINT shut down and exit with 0; a second signal exits at once.
 * A defect that reached the top is logged and ends the process with 1: its state can't be trusted any more.
 */
export function shutdownOnSignals(lifecycle: Lifecycle, logger: Logger): void {
  let asked = false;
  const stop = (signal: NodeJS.Signals) => {
    if (asked) process.exit(130);
    asked = true;
    logger.info({ signal }, 'stopping');
    void lifecycle.shutdown().then(() => logger.flush(() => process.exit(0)));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'uncaught exception');
    logger.flush(() => process.exit(1));
  });
}
