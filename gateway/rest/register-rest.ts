import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { AppError } from '#platform/errors.ts';
import { sendError } from '#platform/http-server.ts';
import type { Lifecycle } from '#platform/lifecycle.ts';
import type { Logger } from '#platform/logging.ts';
import type { Authenticate, AuthenticatedCaller } from '../authentication.ts';
import type { SupergraphHolder } from '../supergraph-file.ts';
import { compileTable, type CompiledRoute } from './compiled-route.ts';
import { acceptJsonBodies } from './json-body.ts';
import { sendOpenAiError } from './openai-errors.ts';
import { registerDocumentation } from './register-documentation.ts';
import type { RestRequest } from './request-mapping.ts';
import { abortSignalOf } from './request-signal.ts';
import type { RestGroup, RestRoute } from './route.ts';
import { answerWithStream } from './stream-answer.ts';
import { restTable } from './table.ts';

export interface RestOptions {
  readonly supergraph: SupergraphHolder;
  readonly authenticate: Authenticate;
  readonly logger: Logger;
  /** Its signal ends the streams with SHUTTING_DOWN. */
  readonly lifecycle?: Pick<Lifecycle, 'signal'>;
  /** Default: the whole table. */
  readonly table?: readonly RestGroup[];
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on the routes of the REST table before their bodies are read. */
    authenticated: AuthenticatedCaller | null;
  }
}

/**
 * Puts the REST table, `/openapi.json` and `/docs` onto a server made by `createHttpServer`.
 *
 * @throws Error when a route's operation does not fit the supergraph. After a reload of the supergraph the same is
 * logged, and the routes stay on the version they were compiled for; `compileTable` as a check before a reload avoids
 * that.
 */
export function registerRest(server: FastifyInstance, options: RestOptions): void {
  const { supergraph, logger, table = restTable } = options;
  let compiled = compileTable(table, supergraph.current);
  const forget = supergraph.onChange((changed) => {
    try {
      compiled = compileTable(table, changed);
    } catch (error) {
      logger.error({ err: error }, 'REST stays on the previous supergraph');
    }
  });
  server.addHook('onClose', async () => forget());
  server.decorateRequest('authenticated', null);

  for (const group of table) {
    void server.register(
      async (scope) => {
        const sendGroupError = group.errors === 'openai' ? sendOpenAiError : sendError;
        scope.setErrorHandler((error, request, reply) => sendGroupError(error, request, reply, logger));
        scope.setNotFoundHandler((request, reply) => {
          sendGroupError(
            new AppError('NOT_FOUND', `There is no ${request.method} ${pathOf(request)}.`),
            request,
            reply,
            logger,
          );
        });
        acceptJsonBodies(scope);
        for (const route of group.routes)
          registerRoute(scope, route, () => compiled.get(route) as CompiledRoute, options);
        refuseOtherMethods(scope, group);
      },
      { prefix: group.prefix },
    );
  }
  registerDocumentation(server, table, supergraph);
}

function registerRoute(
  scope: FastifyInstance,
  route: RestRoute,
  compiled: () => CompiledRoute,
  options: RestOptions,
): void {
  const { authenticate, logger, lifecycle } = options;

  scope.route({
    method: route.method,
    url: fastifyPath(route.path),
    // Before the body is read: a stranger's 20 MB are not worth parsing.
    onRequest: async (request) => {
      request.logged.operation = route.name;
      request.authenticated = await authenticate(request.headers);
      request.logged.caller = request.authenticated.caller.subject;
    },
    handler: async (request, reply) => {
      const { mapRequest, answer, status, stream } = compiled();
      const authenticated = request.authenticated as AuthenticatedCaller;
      const mapped = mapRequest(request as RestRequest);
      const traceparent = request.headers['traceparent'];
      const operationRequest = {
        caller: authenticated.caller,
        requestId: request.id,
        ...(typeof traceparent === 'string' ? { traceparent } : {}),
      };
      if (stream !== undefined && mapped.steering['stream'] === true) {
        const { signal, release } = abortSignalOf(reply, {
          expiresAt: authenticated.expiresAt,
          stopSignal: lifecycle?.signal,
        });
        try {
          await answerWithStream({
            stream,
            mapped,
            reply,
            logger,
            signal,
            body: request.body,
            operationRequest: { ...operationRequest, variables: mapped.variables },
          });
        } finally {
          release();
        }
        return reply;
      }
      const { signal } = abortSignalOf(reply);
      const body = await answer(mapped, { operationRequest, request, reply, signal });
      return reply.code(status).send(body);
    },
  });
}

/** Fastify's spelling: `{id}` → `:id`, `{id+}` → `*`. */
export const fastifyPath = (path: string): string => path.replace(/\{\w+\+\}$/, '*').replace(/\{(\w+)\}/g, ':$1');

const methods: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** A known path with another method is 405 and tells what is allowed; OPTIONS asks just that. */
function refuseOtherMethods(scope: FastifyInstance, { routes }: RestGroup): void {
  const allowed = new Map<string, Set<HTTPMethods>>();
  for (const { method, path } of routes) {
    const url = fastifyPath(path);
    const of = allowed.get(url) ?? new Set();
    of.add(method);
    if (method === 'GET') of.add('HEAD');
    allowed.set(url, of);
  }
  for (const [url, of] of allowed) {
    const allow = [...of, 'OPTIONS'].join(', ');
    scope.route({
      method: methods.filter((method) => !of.has(method)),
      url,
      // Before the body is read, or a wrong content type would hide the wrong method.
      onRequest: (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => {
        reply.header('allow', allow);
        if (request.method === 'OPTIONS') void reply.code(204).send();
        else done(new AppError('METHOD_NOT_ALLOWED', `${pathOf(request)} takes ${allow}, not ${request.method}.`));
      },
      handler: () => undefined,
    });
  }
}

const pathOf = ({ url }: FastifyRequest): string => (url.split('?', 1)[0] ?? url).slice(0, 200);
