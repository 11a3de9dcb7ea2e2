import type { ExecutionResult } from 'graphql';
import { Pool, type Dispatcher } from 'undici';
import type { Caller } from './caller.ts';
import { AppError } from './errors.ts';
import type { Logger } from './logging.ts';
import type { SubgraphRequest, SubgraphTransport } from './subgraph-transport.ts';
import { SubgraphCall, SubgraphFailure, type CallLimits } from './http-transport-call.ts';
import { HttpSubscription } from './http-transport-subscription.ts';

export interface HttpTransportDeadlines {
  /** Until a connection is open. Default 5 s. */
  readonly connectMs?: number;
  /** Until the response's headers are there; the supergraph's own, shorter deadline ends a fetch as a whole. Default 10 min. */
  readonly headersMs?: number;
  /** Between two pieces of a response's body. Default 60 s. */
  readonly bodyMs?: number;
  /** Between two pieces of a stream: a subgraph pings every 15 s. Default 45 s. */
  readonly idleMs?: number;
}

export interface HttpTransportOptions {
  /** The subgraph's (or for parts the gateway's) origin, or its GraphQL endpoint; a URL without a path gets `/graphql`. */
  readonly url: string;
  /** As `createInternalTokenSigner` makes it; keeps the token of a Caller while it lasts. */
  readonly signCaller: (caller: Caller) => string | Promise<string>;
  readonly logger: Logger;
  readonly deadlines?: HttpTransportDeadlines;
  /** Name of the subgraph in messages. Default: the host of the URL. */
  readonly name?: string;
  /** Default 32 MiB; of a stream, for each event. */
  readonly responseBytesMax?: number;
}

// A connection serves one request at a time; more requests than this wait for one.
const connectionsMax = 256;
// Each stream holds a connection for itself, so they have their own, and do not starve requests.
const streamsMax = 10_000;

/**
 * A subgraph in another process: JSON over kept-alive HTTP, subscriptions as SSE (graphql-sse's distinct connections).
 * A mutation is sent once and never again. A query is sent a second time when a kept-alive connection turned out to be
 * closed before it answered one byte: reading twice is harmless.
 */
export function createHttpTransport(options: HttpTransportOptions): SubgraphTransport {
  const { signCaller, logger, deadlines = {}, responseBytesMax = 32 * 1024 * 1024 } = options;
  const { connectMs = 5_000, headersMs = 600_000, bodyMs = 60_000, idleMs = 45_000 } = deadlines;
  const url = new URL(options.url);
  const name = options.name ?? url.host;
  const path = (url.pathname === '/' ? '/graphql' : url.pathname) + url.search;
  const healthPath = '/health/ready';

  // A hint of the server decides how long a connection is kept, within these bounds.
  const keepAlive = { keepAliveTimeout: 30_000, keepAliveMaxTimeout: 600_000, keepAliveTimeoutThreshold: 2_000 };
  const requests = new Pool(url.origin, {
    connections: connectionsMax,
    connect: { timeout: connectMs },
    headersTimeout: headersMs,
    bodyTimeout: bodyMs,
    ...keepAlive,
  });
  const streams = new Pool(url.origin, {
    connections: streamsMax,
    connect: { timeout: connectMs },
    headersTimeout: headersMs,
    bodyTimeout: idleMs,
    ...keepAlive,
  });
  const limits: CallLimits = { name, responseBytesMax, logger };

  const dispatchOptions = async (request: SubgraphRequest, accept: string): Promise<Dispatcher.DispatchOptions> => {
    const signed = signCaller(request.caller);
    const token = typeof signed === 'string' ? signed : await signed;
    const { query, operationName, variables } = request;
    return {
      method: 'POST',
      path,
      headers: {
        'content-type': 'application/json',
        accept,
        authorization: `Bearer ${token}`,
        'x-request-id': request.requestId,
        ...(request.onBehalfOf === undefined ? {} : { 'x-on-behalf-of': request.onBehalfOf }),
        ...(request.traceparent === undefined ? {} : { traceparent: request.traceparent }),
      },
      body: JSON.stringify({ query, operationName, variables }),
    };
  };

  return {
    async execute(request, signal): Promise<ExecutionResult> {
      signal.throwIfAborted();
      const dispatch = await dispatchOptions(request, 'application/json');
      try {
        return await new SubgraphCall(limits).run(requests, dispatch, signal);
      } catch (error) {
        if (error instanceof SubgraphFailure && error.staleConnection && !signal.aborted && isQuery(request.query)) {
          return await new SubgraphCall(limits).run(requests, dispatch, signal);
        }
        throw error;
      }
    },

    subscribe(request, signal) {
      return new HttpSubscription({
        limits,
        pool: streams,
        dispatchOptions: () => dispatchOptions(request, 'text/event-stream'),
        signal,
      });
    },

    async ping(signal) {
      const { statusCode, body } = await requests.request({ method: 'GET', path: healthPath, signal });
      await body.dump();
      if (statusCode !== 200)
        throw new AppError('SUBGRAPH_UNAVAILABLE', `The part "${name}" of the graph is not ready.`);
    },

    async close() {
      // Streams and requests under way have been given their time by the process's shutdown.
      await Promise.all([requests.destroy(), streams.destroy()]);
    },
  };
}

const isQuery = (source: string): boolean => /^\s*(query\b|\{)/.test(source);
