import type { IncomingHttpHeaders } from 'node:http';
import type { ExecutionResult } from 'graphql';
import { errors, type Dispatcher } from 'undici';
import { AppError, isErrorCode, type ErrorCode } from './errors.ts';
import type { Logger } from './logging.ts';

export interface CallLimits {
  readonly name: string;
  readonly responseBytesMax: number;
  readonly logger: Logger;
}

/** A subgraph that could not be reached, was too slow, or did not speak GraphQL. */
export class SubgraphFailure extends AppError {
  /** True when a kept-alive connection was found closed before a byte of the answer came. */
  readonly staleConnection: boolean;

  constructor(code: ErrorCode, message: string, cause: unknown, staleConnection = false) {
    super(code, message, { cause });
    this.staleConnection = staleConnection;
  }
}

/** One POST to a subgraph, answered in JSON. Straight on undici's dispatcher: no streams, no body mixins in between. */
export class SubgraphCall implements Dispatcher.DispatchHandler {
  readonly #limits: CallLimits;
  #controller: Dispatcher.DispatchController | undefined;
  #resolve: (result: ExecutionResult) => void = () => {};
  #reject: (reason: unknown) => void = () => {};
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(limits: CallLimits) {
    this.#limits = limits;
  }

  /** Rejects with the signal's reason, or a SubgraphFailure. */
  async run(pool: Dispatcher, options: Dispatcher.DispatchOptions, signal: AbortSignal): Promise<ExecutionResult> {
    signal.throwIfAborted();
    const onAbort = () => {
      this.#reject(signal.reason);
      this.#controller?.abort(new errors.RequestAbortedError());
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await new Promise<ExecutionResult>((resolve, reject) => {
        this.#resolve = resolve;
        this.#reject = reject;
        pool.dispatch(options, this);
      });
    } finally {
      signal.removeEventListener('abort', onAbort);
      // One still waiting for a connection has no controller yet; it must not be sent later.
      this.#settled = signal.aborted;
    }
  }

  #settled = false;

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#settled) controller.abort(new errors.RequestAbortedError());
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#length += chunk.length;
    if (this.#length > this.#limits.responseBytesMax) {
      const { name, responseBytesMax } = this.#limits;
      this.#reject(
        new SubgraphFailure(
          'SUBGRAPH_BAD_RESPONSE',
          `The part "${name}" of the graph answered with more than ${responseBytesMax} bytes.`,
          undefined,
        ),
      );
      controller.abort(new errors.RequestAbortedError());
      return;
    }
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const body = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    try {
      this.#resolve(readJsonResult(this.#status, this.#headers, body, this.#limits));
    } catch (error) {
      this.#reject(error);
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#reject(translateFailure(error, this.#limits, this.#status === 0));
  }
}

/** @throws SubgraphFailure for anything that is not a GraphQL result */
export function readJsonResult(
  status: number,
  headers: IncomingHttpHeaders,
  body: Buffer,
  { name, logger }: CallLimits,
): ExecutionResult {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch (error) {
    logger.error(
      { subgraph: name, status, contentType: headers['content-type'], length: body.length },
      'a subgraph answered with something that is not JSON',
    );
    throw new SubgraphFailure(
      unavailable(status) ? 'SUBGRAPH_UNAVAILABLE' : 'SUBGRAPH_BAD_RESPONSE',
      `The part "${name}" of the graph answered with HTTP ${status} and no GraphQL result.`,
      error,
    );
  }
  if (isResult(parsed)) return parsed;
  // The error body of our own HTTP server: the request did not get as far as GraphQL.
  const { code, message } = ((parsed as { error?: { code?: unknown; message?: unknown } } | null)?.error ?? {}) as {
    code?: unknown;
    message?: unknown;
  };
  logger.error({ subgraph: name, status, code, reason: message }, 'a subgraph refused the gateway');
  if (code === 'UNAUTHENTICATED') {
    throw new SubgraphFailure(
      'SUBGRAPH_BAD_RESPONSE',
      `The part "${name}" of the graph does not accept the gateway; do both have the same INTERNAL_SECRET?`,
      undefined,
    );
  }
  if (
    isErrorCode(code) &&
    code !== 'INTERNAL_ERROR' &&
    typeof message === 'string' &&
    (code === 'SHUTTING_DOWN' || code === 'PAYLOAD_TOO_LARGE')
  ) {
    throw new SubgraphFailure(code, message, undefined);
  }
  throw new SubgraphFailure(
    unavailable(status) ? 'SUBGRAPH_UNAVAILABLE' : 'SUBGRAPH_BAD_RESPONSE',
    `The part "${name}" of the graph answered with HTTP ${status} and no GraphQL result.`,
    undefined,
  );
}

const unavailable = (status: number): boolean => status === 502 || status === 503 || status === 504;

export function isResult(value: unknown): value is ExecutionResult {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { data, errors: listed } = value as Record<string, unknown>;
  const dataFits = data === undefined || (typeof data === 'object' && !Array.isArray(data));
  const errorsFit =
    listed === undefined ||
    (Array.isArray(listed) &&
      listed.length > 0 &&
      listed.every((error) => typeof error === 'object' && error !== null));
  return dataFits && errorsFit && (data !== undefined || listed !== undefined);
}

export function translateFailure(
  error: Error & { code?: string },
  { name }: CallLimits,
  beforeAnswer: boolean,
): SubgraphFailure {
  switch (error.code) {
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return new SubgraphFailure('DEADLINE_EXCEEDED', `The part "${name}" of the graph did not answer in time.`, error);
    case 'UND_ERR_CONNECT_TIMEOUT':
      return new SubgraphFailure(
        'SUBGRAPH_UNAVAILABLE',
        `The part "${name}" of the graph cannot be reached: no connection in time.`,
        error,
      );
    case 'UND_ERR_SOCKET':
    case 'ECONNRESET':
    case 'EPIPE':
      return new SubgraphFailure(
        'SUBGRAPH_UNAVAILABLE',
        `The part "${name}" of the graph closed the connection before its answer was complete.`,
        error,
        beforeAnswer,
      );
    case 'UND_ERR_DESTROYED':
    case 'UND_ERR_CLOSED':
      return new SubgraphFailure('SHUTTING_DOWN', 'This process is stopping; try again.', error);
  }
  if (error.code?.startsWith('HPE_') === true) {
    return new SubgraphFailure(
      'SUBGRAPH_BAD_RESPONSE',
      `The part "${name}" of the graph answered with something that is not HTTP.`,
      error,
    );
  }
  return new SubgraphFailure('SUBGRAPH_UNAVAILABLE', `The part "${name}" of the graph cannot be reached.`, error);
}
