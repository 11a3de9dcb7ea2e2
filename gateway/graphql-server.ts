import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { toAppError } from '#platform/error-response.ts';
import { AppError } from '#platform/errors.ts';
import type { Lifecycle } from '#platform/lifecycle.ts';
import type { Logger } from '#platform/logging.ts';
import type { Authenticate } from './authentication.ts';
import { createApolloHandler } from './apollo-handler.ts';
import { prepareForClient, readClientOperation } from './client-operation.ts';
import { ClientSession } from './client-session.ts';
import { streamAsEvents } from './graphql-sse.ts';
import { serveWebSockets, type WebSocketLimits } from './graphql-ws.ts';
import { fromAppError } from './graphql-errors.ts';
import { sendGraphiql } from './graphiql.ts';
import type { SupergraphHolder } from './supergraph-file.ts';

export interface GraphQLServerOptions {
  readonly supergraph: SupergraphHolder;
  readonly authenticate: Authenticate;
  /** Turns introspection, hints at names in errors, and GraphiQL off. */
  readonly production: boolean;
  readonly logger: Logger;
  readonly limits?: Partial<WebSocketLimits>;
  readonly lifecycle?: Lifecycle;
  /** GraphiQL for browsers that open `/graphql`. Default: everywhere but in production. */
  readonly graphiql?: boolean;
}

/**
 * `/graphql`: queries and mutations over HTTP (Apollo Server), everything over WebSocket (graphql-ws) and SSE
 * (graphql-sse's distinct connections, POST only), and GraphiQL for a browser. One supergraph plans and keeps the
 * operations of all of them.
 */
export async function registerGraphQL(fastify: FastifyInstance, options: GraphQLServerOptions): Promise<void> {
  const { supergraph, authenticate, production, logger, lifecycle, graphiql = !production } = options;
  const apollo = await createApolloHandler({ supergraph, production, logger, lifecycle });
  serveWebSockets(fastify, options);

  await fastify.register(async (scope) => {
    scope.setErrorHandler((error, request, reply) => sendFailure(error, request, reply, logger));
    // Other methods are answered here too, so that they get a GraphQL-shaped error and `allow`.
    scope.route({ method: ['GET', 'POST'], url: '/graphql', handler });
    scope.route({
      method: ['PUT', 'PATCH', 'DELETE'],
      url: '/graphql',
      handler: (_request, reply) => {
        reply.header('allow', 'GET, POST');
        throw new AppError('METHOD_NOT_ALLOWED', 'GraphQL takes GET for queries and POST for everything.');
      },
    });
    scope.addHook('onClose', () => apollo.stop());
  });

  async function handler(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const accept = request.headers.accept ?? '';
    if (request.method === 'GET' && graphiql && accept.includes('text/html')) return sendGraphiql(request, reply);

    const authenticated = await authenticate(request.headers);
    request.logged.caller = authenticated.caller.subject;
    if (request.method === 'GET' && accept.includes('text/event-stream')) {
      reply.header('allow', 'POST');
      throw new AppError('METHOD_NOT_ALLOWED', 'Subscriptions over SSE are asked for with POST.');
    }
    const operation = readClientOperation(request.method === 'GET' ? readQueryString(request) : request.body);
    const current = supergraph.current;
    const prepared = prepareForClient(current, operation, { production, requestId: request.id });
    const name = prepared.operation?.name;
    if (name !== undefined) request.logged.operation = name;

    const wantsEvents =
      accept.includes('text/event-stream') && (prepared.operation?.kind === 'subscription' || !accept.includes('json'));
    if (!wantsEvents) return apollo.handle(request, reply, authenticated.caller);

    const session = new ClientSession({
      authenticated,
      authenticateAgain: () => authenticate(request.headers),
      lifecycle,
    });
    await streamAsEvents({
      request,
      reply,
      session,
      supergraph: current,
      prepared,
      variables: operation.variables,
      caller: authenticated.caller,
      logger,
    });
    return reply;
  }
}

/** Apollo Server reads the query string again, and more strictly; this is for preparing and for the log line. */
function readQueryString(request: FastifyRequest): Record<string, unknown> {
  const { query, operationName } = request.query as Record<string, unknown>;
  if (typeof query !== 'string' || query === '')
    throw new AppError('BAD_REQUEST', 'Send the GraphQL text as `?query=…`, or POST it as JSON.');
  return { query, operationName: typeof operationName === 'string' ? operationName : undefined };
}

/** Every failure before GraphQL ran (token, body, size) as a GraphQL response. */
function sendFailure(error: unknown, request: FastifyRequest, reply: FastifyReply, logger: Logger): void {
  const appError = toAppError(error);
  if (appError.code === 'INTERNAL_ERROR')
    logger.error({ err: appError.cause ?? appError, requestId: request.id }, 'a GraphQL request failed');
  request.logged.errorCode = appError.code;
  if (appError.code === 'UNAUTHENTICATED') reply.header('www-authenticate', 'Bearer');
  reply
    .code(appError.status)
    .header('cache-control', 'no-store')
    .type('application/json; charset=utf-8')
    .send(JSON.stringify({ errors: [fromAppError(appError, request.id)] }));
}
