import { promisify } from 'node:util';

export interface EventStreamOptions<Event, Result> {
  /** The reader's: aborting it stops the source and rejects a waiting `next` with the signal's reason. */
  readonly signal: AbortSignal;
  /** Called at the first `next`. The signal is aborted when the stream ends, whoever ends it. */
  readonly open: (signal: AbortSignal) => AsyncIterator<Event>;
  readonly perEvent: (event: Event, signal: AbortSignal) => Result | Promise<Result>;
  /** What the reader gets, as the last result, when the source or `perEvent` throws. */
  readonly onFailure: (error: unknown) => Result;
}

type Waiting<Result> = {
  readonly resolve: (result: IteratorResult<Result>) => void;
  readonly reject: (reason: unknown) => void;
};

// A source in this process may have all its events at hand; others, and the sockets, get their turn in between.
const eventsPerTurnMax = 64;
const nextTurn = promisify(setImmediate);

/**
 * A source's events, mapped one by one at the reader's pace. Unlike with an async generator, `return` takes effect at
 * once while `next` waits for a quiet source, and nothing is kept per event, however long the stream.
 */
export class EventStream<Event, Result> implements AsyncIterableIterator<Result> {
  readonly #options: EventStreamOptions<Event, Result>;
  readonly #controller = new AbortController();
  readonly #onAbort: () => void;
  #source: AsyncIterator<Event> | undefined;
  #waiting: Waiting<Result> | undefined;
  #ended = false;
  #sinceTurn = 0;

  constructor(options: EventStreamOptions<Event, Result>) {
    this.#options = options;
    this.#onAbort = () => this.#end(options.signal.reason);
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Result>> {
    if (this.#options.signal.aborted) return Promise.reject(this.#options.signal.reason);
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    if (this.#waiting !== undefined)
      return Promise.reject(new Error('The stream has one reader, who waits for one result at a time.'));
    const result = new Promise<IteratorResult<Result>>((resolve, reject) => (this.#waiting = { resolve, reject }));
    void this.#advance();
    return result;
  }

  async return(): Promise<IteratorResult<Result>> {
    this.#end(undefined);
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<Result>> {
    this.#end(undefined);
    throw error;
  }

  async #advance(): Promise<void> {
    const { open, perEvent, onFailure } = this.#options;
    const { signal } = this.#controller;
    try {
      this.#source ??= open(signal);
      this.#sinceTurn += 1;
      if (this.#sinceTurn === eventsPerTurnMax) {
        this.#sinceTurn = 0;
        await nextTurn();
      }
      const event = await this.#source.next();
      if (event.done === true) return this.#end(undefined);
      const value = await perEvent(event.value, signal);
      this.#settle({ done: false, value });
    } catch (error) {
      if (this.#ended) return;
      this.#settle({ done: false, value: onFailure(error) });
      this.#end(undefined);
    }
  }

  #settle(result: IteratorResult<Result>): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(result);
  }

  #end(reason: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (this.#options.signal.aborted) waiting?.reject(reason);
    else waiting?.resolve({ done: true, value: undefined });
    this.#controller.abort(reason);
    // Not awaited, and deaf to its failure: the reader is gone, and a pending `next` may hold it up.
    void this.#source?.return?.().catch(() => {});
  }
}

/** A stream of one result, for an operation that is refused before it begins. */
export async function* streamOfOne<Result>(result: Result): AsyncGenerator<Result, undefined, undefined> {
  yield result;
}
