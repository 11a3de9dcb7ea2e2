import type { Dispatcher } from 'undici';

/** A whole answer larger than anyone wants to hold. */
export class UpstreamTooLargeError extends Error {
  override readonly name = 'UpstreamTooLargeError';
}

/** Most bytes of a whole answer. */
const wholeBytesMax = 64 * 1024 * 1024; // 64 MiB
/** A stream's bytes that wait for their reader before the socket is paused. */
const waitingBytesMax = 256 * 1024; // 256 KiB

/** How long the end of an answer may take after its last word. */
const releaseMs = 1_000;

/** As much of `Headers` as SDKs read. */
export class SlimHeaders implements Iterable<[string, string]> {
  readonly #values: Readonly<Record<string, string | string[] | undefined>>;

  constructor(values: Readonly<Record<string, string | string[] | undefined>>) {
    this.#values = values;
  }

  get(name: string): string | null {
    const value = this.#values[name.toLowerCase()];
    return value === undefined ? null : typeof value === 'string' ? value : value.join(', ');
  }

  has(name: string): boolean {
    return this.#values[name.toLowerCase()] !== undefined;
  }

  *entries(): IterableIterator<[string, string]> {
    for (const name of Object.keys(this.#values)) yield [name, this.get(name) ?? ''];
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries();
  }
}

/**
 * As much of `Response` as SDKs read. The body is read once: by `text()` or `json()`, or by iterating `body`, which
 * yields the chunks as they come and holds the socket back while its reader is slow. Leaving the iteration closes the
 * connection.
 */
export class SlimResponse {
  readonly status: number;
  readonly headers: SlimHeaders;
  readonly url: string;
  readonly body: AsyncIterableIterator<Buffer>;
  readonly #source: BodySource;

  constructor(url: string, status: number, headers: SlimHeaders, source: BodySource) {
    this.url = url;
    this.status = status;
    this.headers = headers;
    this.#source = source;
    this.body = source;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  text(): Promise<string> {
    return this.#source.text();
  }

  /** To be called when the last word was read, though the body may not have ended; keeps the connection. */
  release(): void {
    this.#source.release();
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.#source.text());
  }
}

/** The body of one answer, between undici's callbacks and one reader. */
export class BodySource implements AsyncIterableIterator<Buffer> {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #ended = false;
  #error: Error | undefined;
  #wholeWanted = false;
  #released = false;
  #notify: (() => void) | undefined;
  readonly #controller: Dispatcher.DispatchController;

  constructor(controller: Dispatcher.DispatchController) {
    this.#controller = controller;
  }

  push(chunk: Buffer): void {
    if (this.#released) return;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#wholeWanted) {
      if (this.#bytes > wholeBytesMax)
        this.#controller.abort(new UpstreamTooLargeError(`more than ${wholeBytesMax} bytes`));
      return;
    }
    if (this.#bytes > waitingBytesMax) this.#controller.pause();
    this.#wake();
  }

  end(error?: Error): void {
    this.#ended = true;
    this.#error = error;
    this.#wake();
  }

  async text(): Promise<string> {
    this.#wholeWanted = true;
    if (this.#controller.paused) this.#controller.resume();
    if (!this.#ended) await this.#wait();
    if (this.#error !== undefined) throw this.#error;
    const [only, ...others] = this.#chunks;
    const text =
      only === undefined
        ? ''
        : others.length === 0
          ? only.toString('utf8')
          : Buffer.concat(this.#chunks).toString('utf8');
    this.#chunks.length = 0;
    return text;
  }

  async next(): Promise<IteratorResult<Buffer, undefined>> {
    if (this.#chunks.length === 0 && !this.#ended) await this.#wait();
    if (this.#chunks.length === 0) {
      if (this.#error !== undefined) throw this.#error;
      return { done: true, value: undefined };
    }
    // All that waits at once: fewer, larger chunks when the reader is slower than the sender.
    const value = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    this.#chunks.length = 0;
    this.#bytes = 0;
    if (this.#controller.paused) this.#controller.resume();
    return { done: false, value };
  }

  async return(): Promise<IteratorResult<Buffer, undefined>> {
    if (!this.#ended) this.#controller.abort(new Error('The reader left.'));
    return { done: true, value: undefined };
  }

  /**
   * The reader has all it needs. What is still to come is thrown away for a moment, so that the connection can be used
   * again; a sender that does not end soon is cut off.
   */
  release(): void {
    if (this.#ended) return;
    this.#chunks.length = 0;
    this.#released = true;
    if (this.#controller.paused) this.#controller.resume();
    setTimeout(() => {
      if (!this.#ended) this.#controller.abort(new Error('The answer did not end.'));
    }, releaseMs).unref();
  }

  /** Web streams' name for it, which SDKs call. */
  cancel(): Promise<unknown> {
    return this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#notify = resolve;
    });
  }

  #wake(): void {
    const notify = this.#notify;
    this.#notify = undefined;
    notify?.();
  }
}
