import type { FastifyInstance } from 'fastify';
import { GraphQLError, type ExecutionArgs, type GraphQLFormattedError } from 'graphql';
import { CloseCode, handleProtocols, makeServer, type Context } from 'graphql-ws';
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { internalError } from '#platform/error-response.ts';
import { AppError } from '#platform/errors.ts';
import type { Lifecycle } from '#platform/lifecycle.ts';
import type { Logger } from '#platform/logging.ts';
import type { Authenticate, AuthenticatedCaller } from './authentication.ts';
import { prepareForClient, readClientOperation, runAsStream } from './client-operation.ts';
import { ClientSession } from './client-session.ts';
import { fromAppError } from './graphql-errors.ts';
import type { OperationRequest, PreparedOperation } from './prepared-operation.ts';
import type { SupergraphHolder } from './supergraph-file.ts';
import type { Supergraph } from './supergraph.ts';

export interface WebSocketLimits {
  /** Operations under way on one connection. */
  readonly operationsPerConnectionMax: number;
  /** Bytes of one message from the client. */
  readonly messageBytesMax: number;
  readonly connectionInitTimeoutMs: number;
}

export interface WebSocketOptions {
  readonly supergraph: SupergraphHolder;
  readonly authenticate: Authenticate;
  readonly production: boolean;
  readonly logger: Logger;
  readonly limits?: Partial<WebSocketLimits>;
  readonly lifecycle?: Lifecycle;
}

const defaultLimits: WebSocketLimits = {
  operationsPerConnectionMax: 100,
  messageBytesMax: 10 * 1024 * 1024,
  connectionInitTimeoutMs: 5_000,
};

const pingIntervalMs = 12_000;
// From here on an event waits until the socket has sent what it holds: the client's pace becomes the source's.
const bufferedBytesMax = 64 * 1024;
// RFC 6455 §5.5: a close frame has room for 123 bytes.
const closeReasonBytesMax = 123;

interface Connection {
  readonly socket: WebSocket;
  readonly upgrade: IncomingMessage;
  session: ClientSession | undefined;
  authenticated: AuthenticatedCaller | undefined;
}

interface Execution {
  readonly supergraph: Supergraph;
  readonly operation: PreparedOperation;
  readonly request: OperationRequest;
  readonly session: ClientSession;
}

/** A GraphQL error in our own wording, for graphql-ws, which wants GraphQLErrors. */
class WordedError extends GraphQLError {
  readonly formatted: GraphQLFormattedError;

  constructor(formatted: GraphQLFormattedError) {
    super(formatted.message);
    this.formatted = formatted;
  }
}

/**
 * Serves `/graphql` over WebSocket (subprotocol graphql-transport-ws): subscriptions, queries and mutations. The token
 * comes in `connection_init` (`{"authorization": "Bearer …"}`) or in the upgrade request's header; without a good one
 * the connection closes with 4401, when `x-on-behalf-of` is not allowed with 4403.
 */
export function serveWebSockets(fastify: FastifyInstance, options: WebSocketOptions): void {
  const { supergraph, production, logger, lifecycle } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: limits.messageBytesMax,
    perMessageDeflate: false,
    handleProtocols,
  });
  const executions = new WeakMap<ExecutionArgs, Execution>();

  const server = makeServer<Record<string, unknown>, Connection>({
    connectionInitWaitTimeout: limits.connectionInitTimeoutMs,
    onConnect: (context) => openSession(context, options),
    onSubscribe(context, _id, payload) {
      const requestId = randomUUID();
      const { session, authenticated, upgrade } = context.extra;
      if (session === undefined || authenticated === undefined)
        throw new Error('An operation came before its session.');
      try {
        if (Object.keys(context.subscriptions).length > limits.operationsPerConnectionMax) {
          throw new AppError(
            'RATE_LIMITED',
            `A connection runs at most ${limits.operationsPerConnectionMax} operations at once; wait for one to end or open another connection.`,
          );
        }
        if (lifecycle?.draining === true)
          throw new AppError('SHUTTING_DOWN', 'This process is stopping; connect again.', { retryAfterMs: 1_000 });
        const client = readClientOperation(payload);
        const current = supergraph.current;
        const { operation, errors } = prepareForClient(current, client, { production, requestId });
        if (errors !== undefined) return errors.map((error) => new WordedError(error));
        const traceparent = upgrade.headers['traceparent'];
        const args: ExecutionArgs = {
          schema: current.apiSchema,
          document: operation.document,
          variableValues: client.variables ?? {},
        };
        const { caller } = authenticated;
        const request = {
          variables: client.variables,
          caller,
          requestId,
          traceparent: typeof traceparent === 'string' ? traceparent : undefined,
        };
        executions.set(args, { supergraph: current, operation, request, session });
        return args;
      } catch (error) {
        return [new WordedError(fromAppError(expected(error, logger), requestId))];
      }
    },
    // As streams, all of them: `complete` from the client then aborts a query as it does a subscription.
    execute: (args) => run(executions, args, options) as never,
    subscribe: (args) => run(executions, args, options) as never,
    onNext: (_context, _id, _payload, _args, result) => result as never,
    onError: (_context, _id, _payload, errors) => errors.map((error) => wordError(error, logger)),
  });

  const onUpgrade = (upgrade: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (upgrade.url?.split('?', 1)[0] !== '/graphql') {
      socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    socket.on('error', () => socket.destroy());
    sockets.handleUpgrade(upgrade, socket, head, (webSocket) =>
      open(webSocket, { socket: webSocket, upgrade, session: undefined, authenticated: undefined }),
    );
  };
  fastify.server.on('upgrade', onUpgrade);
  // An upgraded socket is not the HTTP server's any more, which would still wait for it.
  fastify.addHook('preClose', async () => {
    fastify.server.off('upgrade', onUpgrade);
    for (const socket of sockets.clients) socket.close(1001, 'The server is stopping.');
    setTimeout(() => sockets.clients.forEach((socket) => socket.terminate()), 500).unref();
  });

  function open(socket: WebSocket, connection: Connection): void {
    const stopPings = keepAlive(socket);
    socket.on('error', (error) => logger.debug({ err: error }, 'a WebSocket failed'));
    const closed = server.opened(
      {
        protocol: socket.protocol,
        send: (data) => sendAtClientsPace(socket, data),
        close: (code, reason) => socket.close(code, shortened(reason ?? '')),
        onMessage: (read) =>
          socket.on('message', (data) => {
            read(String(data)).catch((error: unknown) => {
              logger.error({ err: error }, 'a WebSocket message could not be handled');
              socket.close(CloseCode.InternalServerError, 'Something broke inside.');
            });
          }),
      },
      connection,
    );
    socket.once('close', (code, reason) => {
      stopPings();
      connection.session?.end(new AppError('CLIENT_CLOSED_REQUEST', 'The client left the connection.'));
      void closed(code, String(reason));
    });
  }
}

async function openSession(
  context: Context<Record<string, unknown>, Connection>,
  { authenticate, lifecycle, logger }: WebSocketOptions,
): Promise<boolean> {
  const { socket, upgrade } = context.extra;
  const headers = { ...upgrade.headers, ...readConnectionParams(context.connectionParams) };
  try {
    const authenticated = await authenticate(headers);
    const session = new ClientSession({ authenticated, authenticateAgain: () => authenticate(headers), lifecycle });
    if (socket.readyState !== socket.OPEN) {
      session.end(new AppError('CLIENT_CLOSED_REQUEST', 'The client left the connection.'));
      return false;
    }
    context.extra.authenticated = authenticated;
    context.extra.session = session;
    session.signal.addEventListener('abort', () => endConnection(socket, session.signal.reason as AppError), {
      once: true,
    });
    return true;
  } catch (error) {
    const { code, message } = expected(error, logger);
    const closeCode =
      code === 'UNAUTHENTICATED'
        ? CloseCode.Unauthorized
        : code === 'INTERNAL_ERROR'
          ? CloseCode.InternalServerError
          : code === 'BAD_REQUEST'
            ? CloseCode.BadRequest
            : CloseCode.Forbidden;
    socket.close(closeCode, shortened(message));
    return false;
  }
}

/** Later than the errors that tell each operation why, which are on their way then. */
function endConnection(socket: WebSocket, reason: AppError): void {
  setImmediate(() => {
    if (reason.code === 'UNAUTHENTICATED') socket.close(CloseCode.Unauthorized, shortened(reason.message));
    else if (reason.code === 'SHUTTING_DOWN') socket.close(1012, shortened(reason.message));
  });
}

/** Header names in any case, as people write them; only those that authenticate. */
function readConnectionParams(params: Readonly<Record<string, unknown>> | undefined): IncomingHttpHeaders {
  const headers: IncomingHttpHeaders = {};
  for (const [name, value] of Object.entries(params ?? {})) {
    const lowerName = name.toLowerCase();
    if (typeof value === 'string' && (lowerName === 'authorization' || lowerName === 'x-on-behalf-of'))
      headers[lowerName] = value;
  }
  return headers;
}

function run(
  executions: WeakMap<ExecutionArgs, Execution>,
  args: ExecutionArgs,
  { lifecycle, logger }: WebSocketOptions,
) {
  const execution = executions.get(args);
  if (execution === undefined) throw new Error('The arguments are not those of an accepted operation.');
  const { supergraph, operation, request, session } = execution;
  const startedAt = performance.now();
  const endOfWork = lifecycle?.begin();
  let results = 0;
  const end = () => {
    endOfWork?.();
    const { requestId, caller } = request;
    const durationMs = Math.round((performance.now() - startedAt) * 10) / 10;
    logger.info(
      { requestId, caller: caller.subject, operation: operation.name, kind: operation.kind, results, durationMs },
      'websocket operation',
    );
  };
  return observed(runAsStream(supergraph, operation, request, session.signal), () => (results += 1), end);
}

/** The same results; `onEnd` is called once, whoever ends them. A stop waits for it, and it makes the log line. */
function observed<Result>(
  results: AsyncIterableIterator<Result>,
  onResult: () => void,
  onEnd: () => void,
): AsyncIterableIterator<Result> {
  let ended = false;
  const end = () => {
    if (!ended) onEnd();
    ended = true;
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      try {
        const result = await results.next();
        if (result.done === true) end();
        else onResult();
        return result;
      } catch (error) {
        end();
        throw error;
      }
    },
    async return() {
      end();
      await results.return?.();
      return { done: true, value: undefined };
    },
    async throw(error) {
      end();
      await results.return?.();
      throw error;
    },
  };
}

function sendAtClientsPace(socket: WebSocket, data: string): Promise<void> | void {
  if (socket.readyState !== socket.OPEN) return;
  if (socket.bufferedAmount < bufferedBytesMax) {
    socket.send(data);
    return;
  }
  // Settles when the socket has passed it on; a failure shows as the connection's end.
  return new Promise((resolve) => socket.send(data, () => resolve()));
}

/** A client that vanished without a word is noticed by its missing pong. */
function keepAlive(socket: WebSocket): () => void {
  let answered = true;
  socket.on('pong', () => (answered = true));
  const timer = setInterval(() => {
    if (!answered && socket.bufferedAmount === 0) {
      socket.terminate();
      return;
    }
    answered = false;
    socket.ping();
  }, pingIntervalMs);
  return () => clearInterval(timer);
}

function wordError(error: GraphQLError, logger: Logger): GraphQLFormattedError {
  if (error instanceof WordedError) return error.formatted;
  return fromAppError(expected(error.originalError ?? error, logger), randomUUID());
}

function expected(error: unknown, logger: Logger): AppError {
  if (error instanceof AppError) return error;
  logger.error({ err: error }, 'a WebSocket operation failed');
  return internalError(error);
}

function shortened(reason: string): string {
  let text = reason;
  while (Buffer.byteLength(text) > closeReasonBytesMax) text = text.slice(0, -1);
  return text;
}
