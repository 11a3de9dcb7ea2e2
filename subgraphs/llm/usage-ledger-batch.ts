import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from 'pg';
import { AppError } from '#platform/errors.ts';

export interface BatchWriterOptions<Item, Result> {
  /** Writes all items in one transaction; one result for each, in order. Written twice, it must change nothing more. */
  readonly write: (items: readonly Item[]) => Promise<readonly Result[]>;
  /** How much an item weighs in a batch, in bytes. Default 1 for each. */
  readonly bytesOf?: (item: Item) => number;
  /** Most items in one batch. */
  readonly itemsMax: number;
  /** Most bytes in one batch; a heavier item goes alone. */
  readonly bytesMax?: number;
  /** Most items waiting; one more is refused with DATABASE_UNAVAILABLE. */
  readonly backlogMax: number;
  /** How long an item may wait for the database before it fails with DATABASE_UNAVAILABLE, in milliseconds. */
  readonly patienceMs: number;
  /** Batches written at the same time. */
  readonly lanes: number;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly deadline: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** Failures of the statement itself: the data or its types, never the connection. Trying again gives the same. */
const isDataError = (error: unknown): boolean => /^(22|23|42)/.test(sqlStateOf(error));
/** Another transaction was in the way (deadlock, serialization); ours was rolled back whole. */
const isContention = (error: unknown): boolean => sqlStateOf(error).startsWith('40');

const sqlStateOf = (error: unknown): string => (error instanceof DatabaseError ? (error.code ?? '') : '');

/**
 * Group commit. While a batch is being written the next one collects, so that many concurrent writers share one
 * transaction and one fsync, and a single one waits for nobody.
 *
 * A batch that fails for its data is written again item by item, so that a bad item fails alone. One that fails for the
 * database is tried again, with pauses, until its items' patience ends; the write may have happened when the answer got
 * lost, which is why `write` has to be repeatable.
 */
export class BatchWriter<Item, Result> {
  readonly #options: BatchWriterOptions<Item, Result>;
  #waiting: Waiting<Item, Result>[] = [];
  #lanesBusy = 0;
  #scheduled = false;

  constructor(options: BatchWriterOptions<Item, Result>) {
    this.#options = options;
  }

  /** Items that wait or are being written. */
  get pending(): number {
    return this.#waiting.length + this.#lanesBusy;
  }

  /** Resolves when the item is durable. */
  add(item: Item): Promise<Result> {
    if (this.#waiting.length >= this.#options.backlogMax) {
      const reason = `The usage ledger has ${this.#waiting.length} records waiting for the database; nothing is answered that cannot be recorded.`;
      return Promise.reject(new AppError('DATABASE_UNAVAILABLE', reason, { retryAfterMs: 1_000 }));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, deadline: performance.now() + this.#options.patienceMs, resolve, reject });
      this.#schedule();
    });
  }

  // After the current round of I/O, so that requests which arrived together are written together.
  #schedule(): void {
    if (this.#scheduled || this.#lanesBusy >= this.#options.lanes || this.#waiting.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      const batch = this.#take();
      if (batch.length === 0) return;
      this.#lanesBusy += 1;
      void this.#writeBatch(batch).finally(() => {
        this.#lanesBusy -= 1;
        this.#schedule();
      });
      this.#schedule();
    });
  }

  #take(): Waiting<Item, Result>[] {
    const { itemsMax, bytesMax = Infinity, bytesOf = () => 1 } = this.#options;
    let count = 0;
    let bytes = 0;
    for (const { item } of this.#waiting) {
      bytes += bytesOf(item);
      if (count >= itemsMax || (count > 0 && bytes > bytesMax)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #writeBatch(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    let waiting = batch;
    for (let attempt = 0; waiting.length > 0; attempt += 1) {
      try {
        const results = await this.#options.write(waiting.map(({ item }) => item));
        waiting.forEach(({ resolve }, index) => resolve(results[index] as Result));
        return;
      } catch (error) {
        if (isDataError(error)) {
          if (waiting.length === 1) return waiting[0]?.reject(error);
          for (const one of waiting) await this.#writeBatch([one]);
          return;
        }
        const isUnavailable = error instanceof AppError && error.code === 'DATABASE_UNAVAILABLE';
        if (!isUnavailable && !isContention(error)) {
          for (const { reject } of waiting) reject(error);
          return;
        }
        waiting = this.#rejectImpatient(waiting, error);
        if (waiting.length > 0)
          await sleep(isContention(error) ? 1 + Math.random() * 5 : Math.min(25 * 2 ** attempt, 500));
      }
    }
  }

  #rejectImpatient(waiting: readonly Waiting<Item, Result>[], cause: unknown): readonly Waiting<Item, Result>[] {
    const now = performance.now();
    const unavailable = new AppError(
      'DATABASE_UNAVAILABLE',
      'The usage ledger cannot be written: the database does not answer.',
      {
        retryAfterMs: 1_000,
        cause,
      },
    );
    for (const { deadline, reject } of waiting) if (deadline <= now) reject(unavailable);
    return waiting.filter(({ deadline }) => deadline > now);
  }
}
