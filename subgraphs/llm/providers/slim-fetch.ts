import { type Dispatcher, Pool } from 'undici';
import { BodySource, SlimHeaders, SlimResponse, UpstreamTooLargeError } from './slim-response.ts';

/**
 * What the vendors' SDKs have for a `fetch`, and no more than they need: one origin, HTTP/1.1 keep-alive, JSON in, JSON
 * or an event stream out. It drives undici's dispatcher directly, so a request costs no web stream, no `Request`, no
 * `Headers` and no Node stream; docs/performance.md has the numbers.
 */
export interface Deadlines {
  /** To open a connection, in milliseconds. */
  readonly connectMs: number;
  /** From the call to the first byte of the answer, the wait for a free connection included, in milliseconds. */
  readonly firstTokenMs: number;
  /** Between two chunks of an answer, in milliseconds; from 1 s on measured in steps of about half a second. */
  readonly betweenTokensMs: number;
}

export const defaultDeadlines: Deadlines = { connectMs: 5_000, firstTokenMs: 120_000, betweenTokensMs: 60_000 };

export interface SlimFetchOptions {
  readonly deadlines?: Partial<Deadlines> | undefined;
  /** Most connections open at once; each stream under way holds one. Default 1,024. */
  readonly connectionsMax?: number | undefined;
  /** Most requests waiting for a connection; more are refused at once. Default 4,096. */
  readonly waitingMax?: number | undefined;
}

/** A deadline that passed; the connection is closed then. SDKs look for `timeout` in errors' names and hide those that say so. */
export class UpstreamDeadlineError extends Error {
  readonly phase: 'connection' | 'first byte' | 'next chunk';
  readonly timeoutMs: number;

  constructor(phase: UpstreamDeadlineError['phase'], timeoutMs: number) {
    super(`no ${phase} within ${timeoutMs} ms`);
    this.name = 'UpstreamDeadlineError';
    this.phase = phase;
    this.timeoutMs = timeoutMs;
  }
}

/** The connection could not be opened, or broke. */
export class UpstreamConnectionError extends Error {
  /** Node's or undici's code, such as ECONNREFUSED. */
  readonly code: string;

  /** What undici or Node said; not `cause`, in which SDKs look for words they would act on. */
  readonly origin: Error | undefined;

  constructor(code: string, origin?: Error) {
    super('the connection failed');
    this.name = 'UpstreamConnectionError';
    this.code = code;
    this.origin = origin;
  }
}

export interface SlimRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal: AbortSignal;
  /** The answer comes in pieces; a whole one may stay silent between its headers and its body for as long as before. */
  readonly streams: boolean;
}

export class SlimFetch {
  readonly #pool: Pool;
  readonly #origin: string;
  readonly #deadlines: Deadlines;
  readonly #waitingMax: number;

  /** @param baseUrl the vendor's; requests to another origin are refused, so that a key never leaves for elsewhere */
  constructor(baseUrl: string, options: SlimFetchOptions = {}) {
    const deadlines = options.deadlines ?? {};
    this.#deadlines = {
      connectMs: deadlines.connectMs ?? defaultDeadlines.connectMs,
      firstTokenMs: deadlines.firstTokenMs ?? defaultDeadlines.firstTokenMs,
      betweenTokensMs: deadlines.betweenTokensMs ?? defaultDeadlines.betweenTokensMs,
    };
    this.#waitingMax = options.waitingMax ?? 4096;
    this.#origin = new URL(baseUrl).origin;
    this.#pool = new Pool(this.#origin, {
      connections: options.connectionsMax ?? 1024,
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: 10_000,
      connect: { timeout: this.#deadlines.connectMs },
      // Our own timer covers the wait for a connection too.
      headersTimeout: 0,
    });
  }

  /**
   * @param path with the query, such as `/v1/chat/completions`
   * @throws UpstreamDeadlineError, UpstreamConnectionError, or the signal's reason
   */
  request(path: string, request: SlimRequest): Promise<SlimResponse> {
    return new Promise((resolve, reject) => {
      const { signal } = request;
      if (signal.aborted) return reject(signal.reason as Error);
      if (this.#pool.stats.queued >= this.#waitingMax)
        return reject(new UpstreamConnectionError('too many requests are waiting for a connection'));

      let controller: Dispatcher.DispatchController | undefined;
      let source: BodySource | undefined;
      let settled = false;
      const { connectMs, firstTokenMs, betweenTokensMs } = this.#deadlines;
      const silenceMs = request.streams ? betweenTokensMs : Math.max(firstTokenMs, betweenTokensMs);

      const finish = (error?: Error): void => {
        if (settled) return;
        settled = true;
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        if (source !== undefined) source.end(error);
        else reject(error ?? new UpstreamConnectionError('no answer'));
      };
      const stop = (error: Error): void => {
        finish(error);
        controller?.abort(error);
      };
      const onAbort = (): void => stop(signal.reason as Error);
      const timer = setTimeout(() => stop(new UpstreamDeadlineError('first byte', firstTokenMs)), firstTokenMs);
      signal.addEventListener('abort', onAbort, { once: true });

      this.#pool.dispatch(
        {
          path,
          method: request.method,
          headers: request.headers as Record<string, string>,
          body: request.body ?? null,
          bodyTimeout: silenceMs,
        },
        {
          onRequestStart(started) {
            controller = started;
            // It was given up while it waited for a connection.
            if (settled) started.abort(new Error('The request was given up.'));
          },
          onResponseStart: (started, status, headers) => {
            if (status < 200) return;
            clearTimeout(timer);
            source = new BodySource(started);
            resolve(new SlimResponse(this.#origin + path, status, new SlimHeaders(headers), source));
          },
          onResponseData(_, chunk) {
            source?.push(chunk);
          },
          onResponseEnd() {
            finish();
          },
          onResponseError(_, error) {
            finish(signal.aborted ? (signal.reason as Error) : translate(error, connectMs, silenceMs));
          },
        },
      );
    });
  }

  /** Waits for nothing: what is under way is ended. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

function translate(error: Error, connectMs: number, silenceMs: number): Error {
  const code = (error as { code?: string }).code;
  if (error instanceof UpstreamTooLargeError) return error;
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return new UpstreamDeadlineError('connection', connectMs);
  if (code === 'UND_ERR_BODY_TIMEOUT') return new UpstreamDeadlineError('next chunk', silenceMs);
  return new UpstreamConnectionError(code ?? error.name, error);
}
