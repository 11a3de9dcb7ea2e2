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
  /** The gateway over HTTP (platform/graphql-http-client.ts), or the supergraph itself when embedded. */
  readonly transport: Pick<SubgraphTransport, 'execute' | 'subscribe'>;
}

/**
 * How a part of the graph uses the rest of it: through the supergraph, on behalf of the caller it serves, with never
 * more rights than that caller, in one tenant at a time.
 *
 * @example
 * const memory = createSupergraphClient({ part: 'service:memory', transport });
 * const { embed } = await memory.onBehalfOf(caller, { microdaoId }).execute<{ embed: … }>({ query, variables, … });
 */
export function createSupergraphClient({ part, transport }: SupergraphClientOptions) {
  const session = (caller: Caller) => ({
    /** @throws AppError of the first error in the answer; transport failures as SubgraphTransport has them */
    async execute<Data>(call: SupergraphCall): Promise<Data> {
      return dataOf<Data>(await transport.execute({ ...call, caller }, call.signal));
    },
    /** @throws AppError, from the iteration, of the first event that has an error */
    async *subscribe<Data>(call: SupergraphCall): AsyncGenerator<Data, void, undefined> {
      for await (const result of transport.subscribe({ ...call, caller }, call.signal)) yield dataOf<Data>(result);
    },
  });
  return {
    /** @throws AppError NOT_FOUND or FORBIDDEN when the caller itself may not act there */
    onBehalfOf: (caller: Caller, { microdaoId, agentId }: OnBehalfOf) => session(narrowCaller(caller, microdaoId, agentId, part)),

    /** For a job that no caller asked for: the part itself, as a service of one microDAO. */
    forJob: ({ microdaoId, agentId }: OnBehalfOf) =>
      session(
        narrowCaller(
          { subject: part, admin: false, memberships: [{ microdaoId, role: 'service' }] },
          microdaoId,
          agentId,
          part,
        ),
      ),
  };
}

export type SupergraphClient = ReturnType<typeof createSupergraphClient>;

function dataOf<Data>(result: ExecutionResult): Data {
  const [error] = result.errors ?? [];
  if (error !== undefined) throw fromExtensions(error.message, error.extensions);
  if (result.data === undefined || result.data === null) throw new AppError('SUBGRAPH_BAD_RESPONSE', 'The supergraph answered without data.');
  return result.data as Data;
}

/** The header that tells the gateway on whose behalf a part asks. */
export const onBehalfOfHeader = 'x-on-behalf-of';

/** `microdao:x/agent:y`, or `microdao:x`. */
export const formatOnBehalfOf = ({ microdaoId, agentId }: OnBehalfOf): string =>
  agentId === undefined ? microdaoId : `${microdaoId}/${agentId}`;
