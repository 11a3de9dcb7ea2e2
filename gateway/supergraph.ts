import type { FormattedExecutionResult } from 'graphql';
import type { Logger } from 'pino';
import type { SubgraphTransport } from '#platform/subgraph-transport.ts';
import type { OperationLimits } from './limits.ts';
import type { OperationRequest, Preparation, PreparedOperation } from './prepared-operation.ts';

export interface SupergraphOptions {
  /** One for each subgraph that the supergraph names, by its name. */
  readonly transports: Readonly<Record<string, SubgraphTransport>>;
  readonly limits?: Partial<OperationLimits>;
  readonly logger: Logger;
  /** How long one fetch from a subgraph may take, in milliseconds. */
  readonly fetchDeadlineMs?: number;
  /** How many prepared operations are kept. */
  readonly preparedOperationsMax?: number;
}

/**
 * One version of the supergraph: prepares operations (parse, limits, validation, plan: once for each source) and runs
 * them on the subgraphs.
 */
export class Supergraph {
  /** @throws Error when the SDL is no supergraph, or names a subgraph without a transport */
  static fromSdl(_sdl: string, _options: SupergraphOptions): Supergraph {
    throw new Error('not there yet');
  }

  /**
   * Never throws for what a client wrote. The result is kept by source and operation name.
   *
   * @param source GraphQL text
   * @param operationName needed where the text holds several operations
   */
  prepare(_source: string, _operationName?: string): Preparation {
    throw new Error('not there yet');
  }

  /**
   * Runs a query or mutation. Failures are in the result's `errors`, masked for clients: each has
   * `extensions.code` of the catalogue, `retryable`, `requestId`, and `retryAfterMs` and `details` where known. Wrong
   * variables give `errors` with INVALID_INPUT and no `data`, before any fetch.
   * Rejects with the signal's reason when the signal aborts; all fetches are aborted then.
   */
  execute(_operation: PreparedOperation, _request: OperationRequest, _signal: AbortSignal): Promise<FormattedExecutionResult> {
    throw new Error('not there yet');
  }

  /**
   * Runs a subscription: one result per event, errors masked as above. A refused one yields one result with `errors`
   * and ends. Returning from the iteration, or aborting the signal, stops the source at once.
   */
  subscribe(
    _operation: PreparedOperation,
    _request: OperationRequest,
    _signal: AbortSignal,
  ): AsyncIterableIterator<FormattedExecutionResult> {
    throw new Error('not there yet');
  }
}
