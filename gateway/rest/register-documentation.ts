import apiReference from '@scalar/fastify-api-reference';
import type { FastifyInstance } from 'fastify';
import type { SupergraphHolder } from '../supergraph-file.ts';
import { createOpenApi } from './openapi.ts';
import type { RestGroup } from './route.ts';

/**
 * The reader comes from the package and may talk to this server alone: no CDN, fonts, telemetry or proxy of its
 * maker, also not of a later version that would turn one on.
 */
const contentSecurityPolicy = [
  "default-src 'self'",
  "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "worker-src 'self' blob:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** `/openapi.json`, made of the table and the supergraph in use, and a reader for it at `/docs`. */
export function registerDocumentation(
  server: FastifyInstance,
  table: readonly RestGroup[],
  supergraph: SupergraphHolder,
): void {
  let documented = supergraph.current;
  let document = JSON.stringify(createOpenApi(table, documented.apiSchema));

  server.get('/openapi.json', async (_request, reply) => {
    if (documented !== supergraph.current) {
      documented = supergraph.current;
      document = JSON.stringify(createOpenApi(table, documented.apiSchema));
    }
    return reply.type('application/json; charset=utf-8').header('cache-control', 'no-cache').send(document);
  });

  void server.register(apiReference, {
    routePrefix: '/docs',
    hooks: {
      onRequest: (_request, reply, done) => {
        reply.header('content-security-policy', contentSecurityPolicy);
        done();
      },
    },
    configuration: {
      url: '/openapi.json',
      pageTitle: 'agent-supergraph API',
      withDefaultFonts: false,
      telemetry: false,
      showDeveloperTools: 'never',
      hideClientButton: true,
      agent: { disabled: true },
      mcp: { disabled: true },
    },
  });
}
