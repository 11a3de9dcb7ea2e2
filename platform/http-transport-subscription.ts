import type { IncomingHttpHeaders } from 'node:http';
import type { ExecutionResult } from 'graphql';
import { errors, type Dispatcher } from 'undici';
import { EventStreamParser, EventTooLongError } from './event-stream-parser.ts';
import { isResult, readJsonResult, SubgraphFailure, translateFailure, type CallLimits } from './http-transport-call.ts';

export interface HttpSubscriptionOptions {
  readonly limits: CallLimits;
  readonly pool: Dispatcher;
  readonly dispatchOptions: () => Promise<Dispatcher.DispatchOptions>;
  readonly signal: AbortSignal;
}

// The socket is paused from here on; what one chunk (64 KiB) holds beyond it is kept.
const eventsHeldMax = 16;

type Waiting = {
  readonly resolve: (result: IteratorResult<ExecutionResult>) => void;
  readonly reject: (reason: unknown) => void;
};

/**
 * One subscription over SSE. The socket is read only as fast as the reader takes events; `return` and the signal close
 * it at once, whatever is under way. A stream that ends without `complete` was cut, and says so.
 */
export class HttpSubscription implements AsyncIterableIterator<ExecutionResult>, Dispatcher.DispatchHandler {
  readonly #options: HttpSubscriptionOptions;
  readonly #parser: EventStreamParser;
  readonly #onAbort: () => void;
  readonly #held: ExecutionResult[] = [];
  #taken = 0;
  #controller: Dispatcher.DispatchController | undefined;
  #waiting: Waiting | undefined;
  #opened = false;
  /** The subgraph has said all, or failed; what is held is still given. */
  #finished: { readonly failure: unknown } | undefined;
  /** The reader is gone. */
  #closed = false;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  /** The body of an answer that is no event stream. */
  #json: Buffer[] | undefined;
  #jsonLength = 0;

  constructor(options: HttpSubscriptionOptions) {
    this.#options = options;
    this.#parser = new EventStreamParser(options.limits.responseBytesMax);
    this.#onAbort = () => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      this.#close();
      waiting?.reject(options.signal.reason);
    };
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<ExecutionResult>> {
    if (this.#options.signal.aborted) return Promise.reject(this.#options.signal.reason);
    if (this.#closed) return Promise.resolve({ done: true, value: undefined });
    if (this.#waiting !== undefined)
      return Promise.reject(new Error('A subscription has one reader, who waits for one event at a time.'));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      if (!this.#opened) this.#open();
      this.#give();
    });
  }

  async return(): Promise<IteratorResult<ExecutionResult>> {
    this.#close();
    return { done: true, value: undefined };
  }

  #open(): void {
    this.#opened = true;
    const { pool, dispatchOptions } = this.#options;
    dispatchOptions().then(
      (options) => {
        if (!this.#closed) pool.dispatch(options, this);
      },
      (error: unknown) => this.#finish(error),
    );
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#closed) controller.abort(new errors.RequestAbortedError());
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
    const isStream = status === 200 && String(headers['content-type']).startsWith('text/event-stream');
    if (!isStream) this.#json = [];
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { name, responseBytesMax } = this.#options.limits;
    if (this.#json !== undefined) {
      this.#jsonLength += chunk.length;
      if (this.#jsonLength <= responseBytesMax) this.#json.push(chunk);
      return;
    }
    try {
      for (const { event, data } of this.#parser.push(chunk)) {
        if (this.#finished !== undefined) break;
        if (event === 'complete') this.#finish(undefined);
        else if (event === 'next') this.#take(data);
      }
    } catch (error) {
      if (!(error instanceof EventTooLongError)) throw error;
      this.#finish(
        new SubgraphFailure(
          'SUBGRAPH_BAD_RESPONSE',
          `The part "${name}" of the graph sent an event of more than ${responseBytesMax} characters.`,
          error,
        ),
      );
    }
    this.#give();
    if (this.#finished === undefined && this.#held.length - this.#taken >= eventsHeldMax) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#json === undefined) {
      this.#finish(this.#cut(undefined));
      return;
    }
    try {
      this.#held.push(readJsonResult(this.#status, this.#headers, Buffer.concat(this.#json), this.#options.limits));
      this.#finish(undefined);
    } catch (error) {
      this.#finish(error);
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error & { code?: string }): void {
    const streaming = this.#status === 200 && this.#json === undefined;
    this.#finish(
      streaming && error.code !== 'UND_ERR_DESTROYED'
        ? this.#cut(error)
        : translateFailure(error, this.#options.limits, false),
    );
  }

  #cut(cause: unknown): SubgraphFailure {
    const silent = (cause as { code?: string } | undefined)?.code === 'UND_ERR_BODY_TIMEOUT';
    const what = silent ? 'fell silent' : 'was lost before the stream was complete';
    return new SubgraphFailure(
      'SUBGRAPH_UNAVAILABLE',
      `The part "${this.#options.limits.name}" of the graph ${what}.`,
      cause,
    );
  }

  #take(data: string): void {
    let event: unknown;
    try {
      event = JSON.parse(data);
    } catch {
      event = undefined;
    }
    if (isResult(event)) this.#held.push(event);
    else
      this.#finish(
        new SubgraphFailure(
          'SUBGRAPH_BAD_RESPONSE',
          `The part "${this.#options.limits.name}" of the graph sent an event that is no GraphQL result.`,
          undefined,
        ),
      );
  }

  /** Gives the waiting reader the next event, and lets the socket go on when few are left. */
  #give(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    if (this.#taken < this.#held.length) {
      const value = this.#held[this.#taken] as ExecutionResult;
      this.#taken += 1;
      this.#waiting = undefined;
      waiting.resolve({ done: false, value });
      // Shifting one by one would move the whole rest each time.
      if (this.#taken === this.#held.length) {
        this.#held.length = 0;
        this.#taken = 0;
        // Last of all: it may hand over the next chunk before it returns.
        if (this.#controller?.paused === true && this.#finished === undefined) this.#controller.resume();
      }
      return;
    }
    if (this.#finished === undefined) return;
    const { failure } = this.#finished;
    this.#waiting = undefined;
    this.#close();
    if (failure === undefined) waiting.resolve({ done: true, value: undefined });
    else waiting.reject(failure);
  }

  #finish(failure: unknown): void {
    if (this.#finished !== undefined || this.#closed) return;
    this.#finished = { failure };
    this.#give();
    if (failure !== undefined) this.#controller?.abort(new errors.RequestAbortedError());
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#held.length = 0;
    const complete = this.#finished !== undefined && this.#finished.failure === undefined;
    // A stream that said `complete` ends by itself, and its connection serves the next one.
    if (!complete) this.#controller?.abort(new errors.RequestAbortedError());
    else if (this.#controller?.paused === true) this.#controller.resume();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve({ done: true, value: undefined });
  }
}
