import type { ExecutionResult } from 'graphql';
import type { Caller } from './caller.ts';

/** One GraphQL operation for one subgraph, with everything that travels beside it. */
export interface SubgraphRequest {
  /** Source text; also the key under which a subgraph keeps the parsed and validated document. */
  readonly query: string;
  readonly operationName?: string | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  readonly caller: Caller;
  /** Of a part that asks the supergraph: `microdao:x/agent:y`, for the header `x-on-behalf-of`. */
  readonly onBehalfOf?: string | undefined;
  /** `x-request-id`: the same in the logs of every part. */
  readonly requestId: string;
  /** W3C trace context of the client, passed on as it came. */
  readonly traceparent?: string | undefined;
}

/**
 * The only way from the gateway (or a part acting through the supergraph) to a subgraph. Two implementations,
 * `http` and `in-process`, pass one behavioural suite.
 */
export interface SubgraphTransport {
  /**
   * Answers a query or mutation. GraphQL errors are in the result; a subgraph that cannot be reached, is too slow or
   * does not speak GraphQL is thrown as AppError SUBGRAPH_UNAVAILABLE, DEADLINE_EXCEEDED or SUBGRAPH_BAD_RESPONSE.
   * Aborting the signal ends the work in the subgraph too; the promise then rejects with the signal's reason.
   */
  execute(request: SubgraphRequest, signal: AbortSignal): Promise<ExecutionResult>;

  /**
   * Starts a subscription. The iterable ends when the subgraph completes it. Returning from the iteration, or
   * aborting the signal, stops the subgraph's source at once, also when no event is under way; after an abort, reading
   * rejects with the signal's reason. The reader's pace is the source's pace: nothing is dropped and no more than a few
   * events are held. An operation that is refused yields one result with `errors`.
   */
  subscribe(request: SubgraphRequest, signal: AbortSignal): AsyncIterableIterator<ExecutionResult>;

  /** Rejects when the subgraph is not ready to serve. */
  ping(signal: AbortSignal): Promise<void>;

  close(): Promise<void>;
}
