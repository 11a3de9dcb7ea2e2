import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { errorCatalogue } from '#platform/errors.ts';
import { llmTestResolvers } from './llm-test-resolvers.ts';
import { startRestServer, type RestTestServer } from './rest-test-server.ts';
import { restTable } from './table.ts';

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly requestBody?: {
    readonly content: { readonly 'application/json': { readonly schema: object; readonly example?: unknown } };
  };
  readonly responses: Readonly<
    Record<
      string,
      { readonly description: string; readonly content: Readonly<Record<string, { readonly schema: object }>> }
    >
  >;
}
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

let rest: RestTestServer;
let document: Document;
beforeAll(async () => {
  rest = await startRestServer(llmTestResolvers().resolvers);
  document = (await (await fetch(`${rest.url}/openapi.json`)).json()) as Document;
});
afterAll(() => rest.close());

const headers = { authorization: 'Bearer good', 'content-type': 'application/json' };
const operationOf = (path: string, method: string) => document.paths[path]?.[method] as Operation;

/** A validator of a schema of the document, its references resolved. */
function validatorOf(schema: object): z.ZodType {
  const definitions = JSON.parse(
    JSON.stringify(document.components.schemas).replaceAll('#/components/schemas/', '#/$defs/'),
  ) as object;
  const own = JSON.parse(JSON.stringify(schema).replaceAll('#/components/schemas/', '#/$defs/')) as object;
  return z.fromJSONSchema({ ...own, $defs: definitions } as never);
}

test('every route of the table is there, with its parameters, under its own name', () => {
  expect(document.openapi).toBe('3.1.0');
  const names = new Set<string>();
  for (const { prefix, routes } of restTable) {
    for (const { method, path, name, request } of routes) {
      const operation = operationOf(prefix + path.replace('+}', '}'), method.toLowerCase());
      expect(operation.operationId).toBe(name);
      names.add(name);
      const documented = operation.parameters.map((parameter) => parameter.name);
      expect(documented).toEqual(
        [
          ...Object.keys(request.path ?? {}),
          ...Object.keys(request.query ?? {}),
          ...Object.keys(request.headers ?? {}),
        ].map((parameter) => parameter.replace('+', '')),
      );
    }
  }
  expect(names.size).toBe(restTable.flatMap(({ routes }) => routes).length);
  expect(Object.keys(document.paths)).toEqual(expect.arrayContaining(['/health/live', '/health/ready', '/metrics']));
});

test('every reference leads somewhere', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(
    ([, name]) => name as string,
  );
  expect(references.length).toBeGreaterThan(10);
  for (const name of references) expect(document.components.schemas).toHaveProperty(name);
});

test('every error code is documented under its status', () => {
  const operation = operationOf('/internal/llm/proxy', 'post');
  for (const code of [
    'INVALID_INPUT',
    'MODEL_NOT_FOUND',
    'PROVIDER_TIMEOUT',
    'PAYLOAD_TOO_LARGE',
    'RATE_LIMITED',
  ] as const) {
    expect(operation.responses[errorCatalogue[code].status]?.description).toContain(
      `\`${code}\`: ${errorCatalogue[code].meaning}`,
    );
  }
});

describe('what the server answers is what the document says', () => {
  test.each([
    ['/internal/llm/proxy', 'post'],
    ['/internal/llm/embed', 'post'],
    ['/internal/llm/models', 'get'],
    ['/internal/llm/models/price', 'put'],
    ['/internal/llm/usage', 'get'],
    ['/internal/llm/requests', 'get'],
    ['/v1/chat/completions', 'post'],
    ['/v1/embeddings', 'post'],
    ['/v1/models', 'get'],
  ])('%s %s, asked with the documented example', async (path, method) => {
    const { requestBody, responses } = operationOf(path, method);
    const content = requestBody?.content['application/json'];
    if (content !== undefined) expect(validatorOf(content.schema).safeParse(content.example).error).toBeUndefined();
    const body = content === undefined ? null : JSON.stringify(content.example);
    const response = await fetch(rest.url + path, { method: method.toUpperCase(), headers, body });
    expect(response.status).toBe(200);
    const schema = responses['200']?.content['application/json']?.schema as object;
    expect(validatorOf(schema).safeParse(await response.json()).error).toBeUndefined();
  });

  test.each(['/internal/llm/proxy', '/v1/chat/completions'])('each event of %s', async (path) => {
    const schema = operationOf(path, 'post').responses['200']?.content['text/event-stream']?.schema as object;
    const validator = validatorOf(schema);
    const body = JSON.stringify({ model: 'tools', messages: [{ role: 'user', content: 'x' }], stream: true });
    const text = await (await fetch(rest.url + path, { method: 'POST', headers, body })).text();
    const lines = text.split('\n\n').filter((line) => line !== '' && line !== 'data: [DONE]');
    expect(lines.length).toBeGreaterThan(5);
    for (const line of lines) expect(validator.safeParse(JSON.parse(line.slice(6))).error).toBeUndefined();
  });

  test.each(['/internal/llm/proxy', '/v1/chat/completions'])('an error of %s', async (path) => {
    const schema = operationOf(path, 'post').responses['422']?.content['application/json']?.schema as object;
    const response = await fetch(rest.url + path, { method: 'POST', headers, body: '{}' });
    expect(response.status).toBe(422);
    expect(validatorOf(schema).safeParse(await response.json()).error).toBeUndefined();
  });
});

test('the reader at /docs and its script come from this server, which lets it talk to nobody else', async () => {
  const page = await fetch(`${rest.url}/docs`);
  expect(page.status).toBe(200);
  expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'self';/);
  const html = await page.text();
  expect([...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address)).toEqual(['js/scalar.js']);
  expect((await fetch(new URL('js/scalar.js', `${rest.url}/docs/`))).headers.get('content-type')).toMatch(/javascript/);
});
