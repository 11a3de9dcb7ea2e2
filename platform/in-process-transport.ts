import type { ExecutionResult } from 'graphql';
import { AppError } from './errors.ts';
import type { SubgraphRequest, SubgraphTransport } from './subgraph-transport.ts';
import { internalError } from './error-response.ts';

/**
 * A subgraph in this process. The subgraph speaks the transport's contract already; this keeps its failures inside
 * the contract too: whatever else it throws becomes INTERNAL_ERROR with the cause for the logs.
 */
export function createInProcessTransport(subgraph: SubgraphTransport): SubgraphTransport {
  return {
    async execute(request, signal): Promise<ExecutionResult> {
      try {
        return await subgraph.execute(request, signal);
      } catch (error) {
        throw signal.aborted ? signal.reason : expected(error);
      }
    },
    subscribe: (request: SubgraphRequest, signal) => subgraph.subscribe(request, signal),
    ping: (signal) => subgraph.ping(signal),
    close: () => subgraph.close(),
  };
}

function expected(error: unknown): AppError {
  return error instanceof AppError ? error : internalError(error);
}
