import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Caller } from './caller.ts';
import { AppError } from './errors.ts';
import { SseResponse } from './sse-response.ts';
import type { SubgraphRequest, SubgraphTransport } from './subgraph-transport.ts';

export interface SubgraphHttpOptions {
  /** Of the internal token: see internal-token.ts. */
  readonly verifyCaller: (token: string) => Caller | Promise<Caller>;
}

/**
 * Serves a subgraph at `POST /graphql`: JSON for queries and mutations, and with `accept: text/event-stream` one
 * subscription as graphql-sse's "distinct connections" mode. Only callers with an internal token come in.
 */
export function serveSubgraph(
  server: FastifyInstance,
  subgraph: SubgraphTransport,
  { verifyCaller }: SubgraphHttpOptions,
): void {
  server.post('/graphql', async (http, reply) => {
    const authorization = http.headers.authorization;
    if (authorization === undefined || !authorization.startsWith('Bearer ')) {
      throw new AppError('UNAUTHENTICATED', 'A subgraph answers the gateway only; ask the gateway instead.');
    }
    const caller = await verifyCaller(authorization.slice('Bearer '.length));
    const request = readRequest(http.body, caller, http.id, http.headers['traceparent']);
    http.logged.caller = caller.subject;
    if (request.operationName !== undefined) http.logged.operation = request.operationName;

    const gone = new AbortController();
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished)
        gone.abort(new AppError('CLIENT_CLOSED_REQUEST', 'The gateway closed the request.'));
    });
    if (http.headers.accept?.includes('text/event-stream') === true) {
      await streamResults(reply, subgraph.subscribe(request, gone.signal));
      return reply;
    }
    return subgraph.execute(request, gone.signal);
  });
}

function readRequest(body: unknown, caller: Caller, requestId: string, traceparent: unknown): SubgraphRequest {
  const { query, operationName, variables } = (typeof body === 'object' && body !== null ? body : {}) as Record<
    string,
    unknown
  >;
  if (typeof query !== 'string') throw new AppError('BAD_REQUEST', 'The body must be JSON with a `query` string.');
  return {
    query,
    operationName: typeof operationName === 'string' ? operationName : undefined,
    variables: typeof variables === 'object' && variables !== null ? (variables as Record<string, unknown>) : undefined,
    caller,
    requestId,
    traceparent: typeof traceparent === 'string' ? traceparent : undefined,
  };
}

async function streamResults(reply: FastifyReply, results: AsyncIterableIterator<unknown>): Promise<void> {
  const response = new SseResponse(reply);
  try {
    for await (const result of results) {
      await response.write(`event: next\ndata: ${JSON.stringify(result)}\n\n`);
      if (!response.open) return;
    }
    await response.write('event: complete\ndata:\n\n');
  } catch (error) {
    // The reader has left; what it aborted with is nobody's news.
    if (response.open) throw error;
  } finally {
    response.end();
  }
}
