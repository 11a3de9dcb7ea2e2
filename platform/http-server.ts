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
    onProtoPoisoning: 'remove',
    onConstructorPoisoning: 'remove',
  });

  // An own property each: objects shared between requests would mix their callers up.
  server.decorateRequest('logged', null as unknown as FastifyRequest['logged']);
  server.addHook('onRequest', (request, reply, done) => {
    request.logged = {};
    reply.header('x-request-id', request.id);
    done();
  });
  server.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    const status = reply.raw.statusCode;
    metrics.httpRequestDuration.observe({ method: request.method, route, status }, reply.elapsedTime / 1000);
    if (!quietRoutes.has(route)) {
      const line = { requestId: request.id, method: request.method, route, status, durationMs: Math.round(reply.elapsedTime * 10) / 10, ...request.logged };
      if (status >= 500) logger.warn(line, 'request');
      else logger.info(line, 'request');
    }
    done();
  });

  // A body is optional where every field is: POST with a JSON content type and nothing in it reads as no body.
  server.setErrorHandler((error, request, reply) => sendError(error, request, reply, logger));
  server.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? request.url;
    sendError(new AppError('NOT_FOUND', `There is no ${request.method} ${path.slice(0, 200)}.`), request, reply, logger);
  });

  server.addHook('onSend', async (request, reply) => {
    if (reply.statusCode === 413) await drainBody(request.raw);
  });

  registerHealth(server, healthChecks, lifecycle);
  server.get('/metrics', async (_request, reply) => {
    reply.type(metrics.registry.contentType);
    return metrics.registry.metrics();
  });

  trackRequests(server, lifecycle);
  return server;
}

/** Answers with the REST error body; logs what a client must not see. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply, logger: Logger): void {
  const appError = toAppError(error);
  if (appError.code === 'INTERNAL_ERROR') logger.error({ err: appError.cause ?? appError, requestId: request.id }, 'request failed');
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

/** A stop waits for requests under way; one that comes later is told to go elsewhere. */
function trackRequests(server: FastifyInstance, lifecycle: Lifecycle): void {
  server.addHook('onRequest', async (request, reply) => {
    if (quietRoutes.has(request.routeOptions.url ?? '')) return;
    if (lifecycle.draining) {
      reply.header('connection', 'close');
      throw new AppError('SHUTTING_DOWN', 'This process is stopping; try again.', { retryAfterMs: 1000 });
    }
    void lifecycle.track(new Promise<void>((resolve) => void reply.raw.once('close', resolve)));
  });
}
