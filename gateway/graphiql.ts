import type { FastifyReply, FastifyRequest } from 'fastify';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

interface Page {
  readonly html: string;
  readonly gzipped: Buffer;
  readonly etag: string;
  readonly contentSecurityPolicy: string;
}

const exampleQuery = `# Paste a token into the headers below, as { "authorization": "Bearer …" }:
#   npm run --silent token -- --role admin --microdao microdao:home
query Models {
  models(first: 20) {
    nodes { id provider available reason }
  }
}
`;

let page: Promise<Page> | undefined;

/** GraphiQL with everything it needs inside one page: nothing is loaded from elsewhere, and its CSP keeps it so. */
export async function sendGraphiql(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  // 9 MB that most processes never send: read at the first request for it.
  page ??= buildPage();
  const { html, gzipped, etag, contentSecurityPolicy } = await page;
  reply
    .type('text/html; charset=utf-8')
    .header('content-security-policy', contentSecurityPolicy)
    .header('x-content-type-options', 'nosniff')
    .header('referrer-policy', 'no-referrer')
    .header('cache-control', 'no-cache')
    .header('vary', 'accept, accept-encoding')
    .header('etag', etag);
  if (request.headers['if-none-match'] === etag) return reply.code(304).send();
  if (String(request.headers['accept-encoding']).includes('gzip'))
    return reply.header('content-encoding', 'gzip').send(gzipped);
  return reply.send(html);
}

async function buildPage(): Promise<Page> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const html = renderGraphiQL({
    title: 'agent-supergraph',
    endpoint: '/graphql',
    subscriptionsProtocol: 'GRAPHQL_SSE',
    // Left to itself it asks for subscriptions with GET, which carries no preflight and shows queries in logs.
    method: 'POST',
    defaultQuery: exampleQuery,
    headers: JSON.stringify({ authorization: 'Bearer ' }, null, 2),
    shouldPersistHeaders: false,
  } as Parameters<typeof renderGraphiQL>[0]).trimStart();
  const script = html.slice(html.indexOf('<script>') + '<script>'.length, html.lastIndexOf('</script>'));
  const scriptHash = createHash('sha256').update(script).digest('base64');
  return {
    html,
    gzipped: await promisify(gzip)(html),
    etag: `"${createHash('sha256').update(html).digest('base64url').slice(0, 22)}"`,
    contentSecurityPolicy: [
      "default-src 'none'",
      `script-src 'sha256-${scriptHash}'`,
      // The editor's workers are made from text in the page.
      'worker-src blob:',
      "style-src 'unsafe-inline'",
      'img-src data:',
      'font-src data:',
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
  };
}
