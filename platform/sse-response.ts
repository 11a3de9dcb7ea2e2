import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

/** Proxies close a connection after 30 or 60 quiet seconds; a comment line keeps it open and means nothing. */
const pingIntervalMs = 12_000;
const gatheredLengthMax = 16 * 1024;
/** A client that takes nothing for this long is gone, whatever TCP says. */
const drainTimeoutMs = 60_000;

/**
 * Server-sent events on a Fastify reply, at the client's pace. The reply is taken out of Fastify's hands with the
 * first write; headers set on it until then are sent.
 */
export class SseResponse {
  readonly #raw: ServerResponse;
  readonly #ping: NodeJS.Timeout;
  readonly #stop: AbortSignal | undefined;
  /** Events that came in one turn, as the tokens of one packet do: they leave in one system call at its end. */
  #gathered = '';

  /** @param stop aborting it ends a wait for a client that does not read */
  constructor(reply: FastifyReply, stop?: AbortSignal) {
    this.#stop = stop;
    reply.hijack();
    this.#raw = reply.raw;
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined) this.#raw.setHeader(name, value);
    }
    this.#raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      // `no-transform`: a proxy that compresses would hold the events back.
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
    // Before the first event, which may be long in coming; and small events are worth nothing late.
    this.#raw.flushHeaders();
    this.#raw.socket?.setNoDelay(true);
    this.#ping = setInterval(() => this.#sendPing(), pingIntervalMs);
    this.#ping.unref();
  }

  /** False when the client is gone. */
  get open(): boolean {
    return !this.#raw.destroyed && !this.#raw.writableEnded;
  }

  /** Resolves when the client can take more. What is written to a client that left is dropped. */
  write(text: string): Promise<void> | undefined {
    if (text === '' || !this.open) return undefined;
    this.#ping.refresh();
    if (this.#gathered === '') process.nextTick(() => this.#flush());
    this.#gathered += text;
    if (this.#gathered.length >= gatheredLengthMax) this.#flush();
    return this.#raw.writableNeedDrain ? this.#drained() : undefined;
  }

  /** Ends the response. Safe to call twice. */
  end(): void {
    clearInterval(this.#ping);
    this.#flush();
    if (this.open) this.#raw.end();
  }

  #flush(): void {
    const text = this.#gathered;
    this.#gathered = '';
    if (text !== '' && this.open) this.#raw.write(text);
  }

  #sendPing(): void {
    if (this.open && !this.#raw.writableNeedDrain) this.#raw.write(': ping\n\n');
  }

  async #drained(): Promise<void> {
    const ended = new AbortController();
    const timer = setTimeout(() => this.#raw.destroy(), drainTimeoutMs);
    try {
      // Whichever loses stops listening.
      await Promise.race([
        once(this.#raw, 'drain', { signal: ended.signal }),
        once(this.#raw, 'close', { signal: ended.signal }),
        ...(this.#stop === undefined ? [] : [aborted(this.#stop, ended.signal)]),
      ]);
    } finally {
      clearTimeout(timer);
      ended.abort();
    }
  }
}

function aborted(signal: AbortSignal, listenUntil: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true, signal: listenUntil });
  });
}
