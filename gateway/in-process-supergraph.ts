import type { ExecutionResult } from 'graphql';
import { fromExtensions } from '#platform/error-response.ts';
import type { SubgraphRequest, SubgraphTransport } from '#platform/subgraph-transport.ts';
import type { PreparedOperation } from './prepared-operation.ts';
import type { SupergraphHolder } from './supergraph-file.ts';

/**
 * The supergraph as the parts of an embedded system ask it, through platform/supergraph-client.ts: what a gateway does
 * for an HTTP request once its caller is known. Each call uses the newest supergraph.
 */
export function createInProcessSupergraph(
  holder: Pick<SupergraphHolder, 'current'>,
): Pick<SubgraphTransport, 'execute' | 'subscribe'> {
  const prepare = ({ query, operationName }: SubgraphRequest): PreparedOperation => {
    const { operation, errors } = holder.current.prepare(query, operationName);
    if (operation !== undefined) return operation;
    const [error] = errors;
    throw fromExtensions(error?.message ?? 'The operation is not valid.', error?.extensions);
  };
  return {
    execute: async (request, signal) =>
      (await holder.current.execute(prepare(request), request, signal)) as ExecutionResult,
    subscribe: (request, signal) =>
      holder.current.subscribe(prepare(request), request, signal) as AsyncIterableIterator<ExecutionResult>,
  };
}
