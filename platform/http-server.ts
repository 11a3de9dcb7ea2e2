import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { retryAfterSeconds, toAppError, toErrorBody } from './error-response.ts';
import { AppError } from './errors.ts';
import { registerHealth, type HealthCheck } from './health.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Logger } from './logging.ts';
import type { Metrics } from './metrics.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the request's log line tells beside its id, status and duration. Never a prompt, key or token. */
    logged: { caller?: string; operation?: string; errorCode?: string };
  }
}

export interface HttpServerOptions {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly lifecycle: Lifecycle;
  readonly healthChecks: Readonly<Record<string, HealthCheck>>;
  /** Default 10 MiB. */
  readonly bodyLimitBytes?: number;
}

const requestIdPattern = /^[A-Za-z0-9._:-]{1,128}$/;
const quietRoutes = new Set(['/health/live', '/health/ready', '/metrics']);

/**
 * The server under every process: request ids (`x-request-id`, taken from the client when it is a sane one, and
 * always answered), one log line and one metric a request, errors in the catalogue's shape, `/health/*`, `/metrics`,
 * and a stop that waits for what is under way.
 */
export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const { logger, metrics, lifecycle, healthChecks, bodyLimitBytes = 10 * 1024 * 1024 } = options;
  const server = Fastify({
    bodyLimit: bodyLimitBytes,
    forceCloseConnections: 'idle',
    // A client that sends its headers or body drop by drop does not hold a connection for ever.
    connectionTimeout: 0,
    requestTimeout: 60_000,
    keepAliveTimeout: 72_000,
    // Ids hold up to 128 characters and may be percent-encoded, three characters each.
    routerOptions: { maxParamLength: 512, ignoreTrailingSlash: true },
    genReqId: (request) => {
      const given = request.headers['x-request-id'];
      return typeof given === 'string' && requestIdPattern.test(given) ? given : randomUUID();
    },
    logger: false,
    // What Fastify refuses before a route is known, such as a broken percent escape in the path.
    frameworkErrors: (error, request, reply) => {
      request.logged ??= {};
      reply.header('x-request-id', request.id);
      sendError(error, request, reply as unknown as FastifyReply, logger);
    },
    onProtoPoisoning: 'remove',
    onConstructorPoisoning: 'remove',
  });

  // Bodies are JSON; Fastify reads plain text by itself.
  server.removeContentTypeParser('text/plain');

  // An own property each: objects shared between requests would mix their callers up.
  server.decorateRequest('logged', null as unknown as FastifyRequest['logged']);
  server.addHook('onRequest', (request, reply, done) => {
    request.logged = {};
    reply.header('x-request-id', request.id);
    if (quietRoutes.has(request.routeOptions.url ?? '')) return done();
    if (lifecycle.draining) {
      reply.header('connection', 'close');
      return done(new AppError('SHUTTING_DOWN', 'This process is stopping; try again.', { retryAfterMs: 1000 }));
    }
    const end = lifecycle.begin();
    const startedAt = performance.now();
    // Fastify's own onResponse does not come when the client leaves before the end.
    reply.raw.once('close', () => {
      end();
      report(request, reply, performance.now() - startedAt, { logger, metrics });
    });
    done();
  });
  // What is still connected after the drain has nothing under way: some clients connect ahead of their requests.
  server.addHook('preClose', (done) => {
    if (lifecycle.signal.aborted) server.server.closeAllConnections();
    done();
  });

  server.setErrorHandler((error, request, reply) => sendError(error, request, reply, logger));
  server.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? request.url;
    sendError(
      new AppError('NOT_FOUND', `There is no ${request.method} ${path.slice(0, 200)}.`),
      request,
      reply,
      logger,
    );
  });

  server.addHook('onSend', async (request, reply) => {
    if (reply.statusCode === 413) await drainBody(request.raw);
  });

  registerHealth(server, healthChecks, lifecycle);
  server.get('/metrics', async (_request, reply) => {
    reply.type(metrics.registry.contentType);
    return metrics.registry.metrics();
  });

  return server;
}

/** Answers with the REST error body; logs what a client must not see. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply, logger: Logger): void {
  const appError = toAppError(error);
  if (appError.code === 'INTERNAL_ERROR')
    logger.error({ err: appError.cause ?? appError, requestId: request.id }, 'request failed');
  request.logged.errorCode = appError.code;
  const retryAfter = retryAfterSeconds(appError);
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter);
  reply.code(appError.status).send(toErrorBody(appError, request.id));
}

const drainedBytesMax = 64 * 1024 * 1024;
const drainTimeoutMs = 10_000;

/**
 * Reads what a client still sends of a body that is too large, and forgets it: most clients read no answer before
 * they have sent everything, and a connection closed on them shows as a broken pipe instead of as the 413.
 */
async function drainBody(body: IncomingMessage): Promise<void> {
  const timeout = AbortSignal.timeout(drainTimeoutMs);
  let bytes = 0;
  await new Promise<void>((resolve) => {
    if (body.complete || body.destroyed) return resolve();
    body.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > drainedBytesMax) resolve();
    });
    for (const event of ['end', 'error', 'close']) body.once(event, () => resolve());
    timeout.addEventListener('abort', () => resolve(), { once: true });
    body.resume();
  });
}

/** nginx's number for a client that left; nobody else sees it. */
const clientLeftStatus = 499;

function report(
  request: FastifyRequest,
  reply: FastifyReply,
  elapsedMs: number,
  { logger, metrics }: Pick<HttpServerOptions, 'logger' | 'metrics'>,
): void {
  const route = request.routeOptions.url ?? 'unknown';
  const { method, id: requestId, logged } = request;
  const status = reply.raw.writableFinished ? reply.raw.statusCode : clientLeftStatus;
  metrics.httpRequestDuration.observe({ method, route, status }, elapsedMs / 1000);
  const line = { requestId, method, route, status, durationMs: Math.round(elapsedMs * 10) / 10, ...logged };
  if (status >= 500) logger.warn(line, 'request');
  else logger.info(line, 'request');
}
