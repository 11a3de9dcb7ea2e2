import { ApolloServer, HeaderMap, type HTTPGraphQLResponse } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { GraphQLError, type ExecutionResult, type FormattedExecutionResult, type GraphQLFormattedError } from 'graphql';
import type { Caller } from '#platform/caller.ts';
import { internalError } from '#platform/error-response.ts';
import { AppError, errorCatalogue } from '#platform/errors.ts';
import type { Lifecycle } from '#platform/lifecycle.ts';
import type { Logger } from '#platform/logging.ts';
import { prepareForClient, statusOf } from './client-operation.ts';
import { abortReason } from './client-session.ts';
import { fromAppError } from './graphql-errors.ts';
import type { SupergraphHolder } from './supergraph-file.ts';

export interface ApolloHandlerOptions {
  readonly supergraph: SupergraphHolder;
  readonly production: boolean;
  readonly logger: Logger;
  readonly lifecycle?: Lifecycle | undefined;
}

interface ApolloContext {
  readonly caller: Caller;
  readonly requestId: string;
  readonly traceparent: string | undefined;
  readonly signal: AbortSignal;
}

type ApolloOptions = Extract<ConstructorParameters<typeof ApolloServer<ApolloContext>>[0], { gateway: unknown }>;
type Gateway = NonNullable<ApolloOptions['gateway']>;

/**
 * Apollo Server speaks GraphQL over HTTP: content negotiation, GET, CSRF prevention, statuses. It has no schema and no
 * executor of its own: the supergraph behind its `gateway` option prepares and runs what it read.
 *
 * None of its reports to Apollo can come alive: their plugins are disabled here, and @apollo/gateway's telemetry starts
 * in the constructor of `ApolloGateway`, of which this project makes none (`graphql-edge.test.ts` looks after both).
 */
export async function createApolloHandler({ supergraph, production, logger, lifecycle }: ApolloHandlerOptions) {
  const apollo = new ApolloServer<ApolloContext>({
    gateway: supergraphAsGateway(supergraph, production),
    apollo: {},
    // Preparing an operation parses within limits and validates, once for all ways in; Apollo's own pass would repeat it.
    dangerouslyDisableValidation: true,
    parseOptions: { maxTokens: supergraph.current.limits.tokensMax },
    introspection: !production,
    includeStacktraceInErrorResponses: false,
    csrfPrevention: true,
    allowBatchedHttpRequests: false,
    persistedQueries: false,
    stopOnTerminationSignals: false,
    nodeEnv: production ? 'production' : 'development',
    logger,
    stringifyResult: (result) => JSON.stringify(result),
    formatError: (formatted, error) => formatApolloError(formatted, error, logger),
    plugins: [
      ApolloServerPluginUsageReportingDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginLandingPageDisabled(),
    ],
  });
  await apollo.start();

  return {
    stop: () => apollo.stop(),

    async handle(request: FastifyRequest, reply: FastifyReply, caller: Caller): Promise<unknown> {
      const gone = new AbortController();
      const onClose = () => {
        if (!reply.raw.writableFinished)
          gone.abort(new AppError('CLIENT_CLOSED_REQUEST', 'The client left before the answer was complete.'));
      };
      const onShutdown = () =>
        gone.abort(new AppError('SHUTTING_DOWN', 'This process is stopping; try again.', { retryAfterMs: 1_000 }));
      reply.raw.once('close', onClose);
      lifecycle?.signal.addEventListener('abort', onShutdown, { once: true });
      try {
        const traceparent = request.headers['traceparent'];
        const response = await apollo.executeHTTPGraphQLRequest({
          httpGraphQLRequest: {
            method: request.method,
            headers: headerMap(request),
            search: searchOf(request.url),
            body: request.body,
          },
          context: async () => ({
            caller,
            requestId: request.id,
            traceparent: typeof traceparent === 'string' ? traceparent : undefined,
            signal: gone.signal,
          }),
        });
        return send(response, request, reply);
      } finally {
        lifecycle?.signal.removeEventListener('abort', onShutdown);
      }
    },
  };
}

function supergraphAsGateway(supergraph: SupergraphHolder, production: boolean): Gateway {
  return {
    onSchemaLoadOrUpdate(callback) {
      const tell = ({ apiSchema, sdl }: SupergraphHolder['current']) => callback({ apiSchema, coreSupergraphSdl: sdl });
      tell(supergraph.current);
      return supergraph.onChange(tell);
    },
    load: async () => ({
      async executor({ source, request, context }) {
        const { requestId, caller, traceparent, signal } = context as ApolloContext;
        const client = { query: source, operationName: request.operationName, variables: request.variables };
        // Prepared again, for free: Apollo may have taken the text from elsewhere than our own reading of the request.
        const current = supergraph.current;
        const { operation, errors } = prepareForClient(current, client, { production, requestId });
        if (errors !== undefined) return toApolloResult({ errors });
        if (operation.kind === 'subscription') {
          const message =
            'Subscribe over SSE (`accept: text/event-stream`) or WebSocket (graphql-transport-ws), not over plain HTTP.';
          return toApolloResult({ errors: [fromAppError(new AppError('BAD_REQUEST', message), requestId)] });
        }
        try {
          return toApolloResult(
            await current.execute(operation, { variables: request.variables, caller, requestId, traceparent }, signal),
          );
        } catch (error) {
          if (!signal.aborted) throw error;
          return toApolloResult({ errors: [fromAppError(abortReason(signal), requestId)] });
        }
      },
    }),
    stop: async () => {},
  };
}

/** Apollo Server wants GraphQLErrors and would word them anew; this carries our own wording through. */
class WordedError extends GraphQLError {
  readonly formatted: GraphQLFormattedError;

  constructor(formatted: GraphQLFormattedError, status: number | undefined) {
    super(formatted.message, {
      extensions: { ...formatted.extensions, ...(status === undefined ? {} : { http: { status } }) },
    });
    this.formatted = formatted;
  }
}

function toApolloResult({ data, errors }: FormattedExecutionResult): ExecutionResult {
  if (errors === undefined) return { data: data ?? null };
  const status = data === undefined ? statusOf(errors) : undefined;
  const worded = errors.map((error) => new WordedError(error, status));
  return data === undefined ? { errors: worded } : { data, errors: worded };
}

const codesOfApollo: Readonly<Record<string, 'BAD_REQUEST' | 'GRAPHQL_VALIDATION_FAILED' | 'INVALID_INPUT'>> = {
  GRAPHQL_PARSE_FAILED: 'BAD_REQUEST',
  BAD_REQUEST: 'BAD_REQUEST',
  OPERATION_RESOLUTION_FAILURE: 'BAD_REQUEST',
  PERSISTED_QUERY_NOT_FOUND: 'BAD_REQUEST',
  PERSISTED_QUERY_NOT_SUPPORTED: 'BAD_REQUEST',
  GRAPHQL_VALIDATION_FAILED: 'GRAPHQL_VALIDATION_FAILED',
  BAD_USER_INPUT: 'INVALID_INPUT',
};

function formatApolloError(formatted: GraphQLFormattedError, error: unknown, logger: Logger): GraphQLFormattedError {
  if (error instanceof WordedError) return error.formatted;
  const code = codesOfApollo[String(formatted.extensions?.['code'])];
  if (code === undefined) {
    logger.error({ err: error }, 'a GraphQL request failed');
    const masked = internalError(error);
    return { message: masked.message, extensions: { ...masked.toExtensions() } };
  }
  const { locations } = formatted;
  return {
    message: formatted.message.trim(),
    ...(locations === undefined ? {} : { locations }),
    extensions: { code, retryable: errorCatalogue[code].retryable },
  };
}

function send(
  { status = 200, headers, body }: HTTPGraphQLResponse,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  if (body.kind !== 'complete') throw new Error('Incremental delivery is not part of the schema.');
  for (const [name, value] of headers) if (name !== 'content-length') reply.header(name, value);
  reply.code(status);
  return reply.send(status < 400 ? body.string : withRequestIds(body.string, request));
}

/** Apollo Server words some errors without knowing of the request; each error of ours names it. */
function withRequestIds(text: string, request: FastifyRequest): string {
  const result = JSON.parse(text) as { errors?: GraphQLFormattedError[] };
  const errors = result.errors?.map((error) => ({
    ...error,
    extensions: { ...error.extensions, requestId: request.id },
  }));
  const code = errors?.[0]?.extensions['code' as keyof object];
  if (typeof code === 'string') request.logged.errorCode = code;
  return JSON.stringify({ ...result, errors });
}

function headerMap({ headers }: FastifyRequest): HeaderMap {
  const map = new HeaderMap();
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) map.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return map;
}

function searchOf(url: string): string {
  const start = url.indexOf('?');
  return start === -1 ? '' : url.slice(start);
}
