import type { ExecutionResult } from 'graphql';
import { narrowCaller, type Caller } from './caller.ts';
import { fromExtensions } from './error-response.ts';
import { AppError } from './errors.ts';
import type { SubgraphTransport } from './subgraph-transport.ts';

/** For whom a part works: always one microDAO, and one agent of it where the work is an agent's. */
export interface OnBehalfOf {
  readonly microdaoId: string;
  readonly agentId?: string | undefined;
}

export interface SupergraphCall {
  readonly query: string;
  readonly operationName?: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly requestId: string;
  readonly traceparent?: string | undefined;
  readonly signal: AbortSignal;
}

export interface SupergraphClientOptions {
  /** The part that asks, such as `service:memory`; recorded as the caller's `actor`. */
  readonly part: string;
  /**
   * `createHttpTransport` to SUPERGRAPH_URL with a signer for the audience `supergraph`, or when embedded the
   * supergraph itself (gateway/in-process-supergraph.ts).
   */
  readonly transport: Pick<SubgraphTransport, 'execute' | 'subscribe'>;
}

export interface SupergraphClient {
  /** @throws AppError NOT_FOUND or FORBIDDEN when the caller itself may not act there */
  onBehalfOf(caller: Caller, pair: OnBehalfOf): SupergraphSession;
  /** For a job that no caller asked for: the part itself, as a service of one microDAO. */
  forJob(pair: OnBehalfOf): SupergraphSession;
}

export interface SupergraphSession {
  /** @throws AppError of the first error in the answer; transport failures as SubgraphTransport has them */
  execute<Data>(call: SupergraphCall): Promise<Data>;
  /** @throws AppError, from the iteration, of the first event that has an error */
  subscribe<Data>(call: SupergraphCall): AsyncGenerator<Data, void, undefined>;
}

/**
 * How a part of the graph uses the rest of it: through the supergraph, on behalf of the caller it serves, with never
 * more rights than that caller, in one tenant at a time. The caller is narrowed here, where the part gets its error at
 * once, and again by the gateway, which trusts the header no more than the token.
 *
 * @example
 * const supergraph = createSupergraphClient({ part: 'service:memory', transport });
 * const { embed } = await supergraph.onBehalfOf(caller, { microdaoId, agentId }).execute<{ embed: EmbedResult }>({
 *   query: 'mutation ($input: EmbedInput!) { embed(input: $input) { embeddings } }',
 *   variables: { input: { microdaoId, agentId, input: ['a text'] } },
 *   requestId,
 *   signal,
 * });
 */
export function createSupergraphClient({ part, transport }: SupergraphClientOptions): SupergraphClient {
  const openSession = (served: Caller, { microdaoId, agentId }: OnBehalfOf): SupergraphSession => {
    const caller = narrowCaller(served, microdaoId, agentId, part);
    const onBehalfOf = agentId === undefined ? microdaoId : `${microdaoId}/${agentId}`;
    return {
      async execute<Data>({ signal, ...call }: SupergraphCall) {
        return dataOf<Data>(await transport.execute({ ...call, caller, onBehalfOf }, signal));
      },
      async *subscribe<Data>({ signal, ...call }: SupergraphCall) {
        for await (const result of transport.subscribe({ ...call, caller, onBehalfOf }, signal))
          yield dataOf<Data>(result);
      },
    };
  };
  return {
    onBehalfOf: openSession,
    forJob: (pair) =>
      openSession(
        { subject: part, admin: false, memberships: [{ microdaoId: pair.microdaoId, role: 'service' }] },
        pair,
      ),
  };
}

function dataOf<Data>(result: ExecutionResult): Data {
  const [error] = result.errors ?? [];
  if (error !== undefined) throw fromExtensions(error.message, error.extensions);
  if (result.data === undefined || result.data === null)
    throw new AppError('SUBGRAPH_BAD_RESPONSE', 'The supergraph answered without data.');
  return result.data as Data;
}
