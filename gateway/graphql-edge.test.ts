import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { getIntrospectionQuery } from 'graphql';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { startTestGateway, type TestGateway, type TestGatewayOptions } from '#test/gateway-server.ts';
import { compose, feedSdl, peopleSdl, usageSdl } from '#test/gateway-subgraphs.ts';

interface Message {
  readonly type: string;
  readonly id?: string;
  readonly payload?: any;
}

/** A WebSocket client that shows every message and the close code, as the official client does not. */
class RawSocket {
  readonly #socket: WebSocket;
  readonly messages: Message[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #opened: Promise<unknown>;

  constructor(gateway: TestGateway, headers: Record<string, string> = {}) {
    this.#socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', { headers });
    this.#socket.on('message', (data) => this.messages.push(JSON.parse(String(data)) as Message));
    // From the start: it may be open before anyone asks.
    this.#opened = new Promise((resolve, reject) => this.#socket.once('open', resolve).once('error', reject));
    this.#opened.catch(() => undefined);
    this.closed = new Promise((resolve) =>
      this.#socket.on('close', (code, reason) => resolve({ code, reason: String(reason) })),
    );
  }

  async open(payload?: Record<string, unknown>): Promise<this> {
    await this.#opened;
    this.send({ type: 'connection_init', payload });
    return this;
  }

  async opened(): Promise<void> {
    await this.#opened;
  }

  send(message: Message): void {
    this.#socket.send(JSON.stringify(message));
  }

  async received(type: string, withinMs = 2_000): Promise<Message> {
    const startedAt = Date.now();
    for (;;) {
      const found = this.messages.find((message) => message.type === type);
      if (found !== undefined) return found;
      if (Date.now() - startedAt > withinMs) throw new Error(`no ${type} came; ${JSON.stringify(this.messages)}`);
      await sleep(2);
    }
  }

  close(): void {
    this.#socket.terminate();
  }
}

const gateways: TestGateway[] = [];
async function start(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const gateway = await startTestGateway({ overHttp: false, ...options });
  gateways.push(gateway);
  return gateway;
}
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.close();
});

const post = (gateway: TestGateway, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('who comes in', () => {
  test('over HTTP: no token is 401, in GraphQL’s shape, saying how to get one', async () => {
    const gateway = await start();
    for (const accept of ['application/json', 'text/event-stream']) {
      const response = await post(gateway, { query: '{ nothing }' }, { accept, 'x-request-id': 'q1' });
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      expect(await response.json()).toEqual({
        errors: [
          {
            message: expect.stringContaining('npm run --silent token'),
            extensions: { code: 'UNAUTHENTICATED', retryable: false, requestId: 'q1' },
          },
        ],
      });
    }
  });

  test('over HTTP: on behalf of another microDAO or of nonsense is refused', async () => {
    const gateway = await start();
    const token = await gateway.token();
    expect(
      (await post(gateway, { query: '{ nothing }' }, { ...bearer(token), 'x-on-behalf-of': 'nonsense' })).status,
    ).toBe(400);
  });

  test('over WebSocket: without a good token the connection closes with 4401', async () => {
    const gateway = await start();
    for (const payload of [undefined, {}, { authorization: 'Bearer nonsense' }]) {
      const socket = await new RawSocket(gateway).open(payload);
      expect(await socket.closed).toMatchObject({ code: 4401, reason: expect.stringMatching(/token/) });
    }
  });

  test('over WebSocket: the token may come in the payload, in any case, or in the header', async () => {
    const gateway = await start();
    const token = await gateway.token();
    for (const [headers, payload] of [
      [{}, { authorization: `Bearer ${token}` }],
      [{}, { Authorization: `bearer ${token}` }],
      [bearer(token), undefined],
    ] as const) {
      const socket = await new RawSocket(gateway, headers).open(payload);
      await socket.received('connection_ack');
      socket.close();
    }
  });

  test('over WebSocket: what is not allowed closes with 4403, what is malformed with 4400', async () => {
    const gateway = await start();
    const token = await gateway.token();
    const malformed = await new RawSocket(gateway).open({ ...bearer(token), 'x-on-behalf-of': 'nonsense' });
    expect(await malformed.closed).toMatchObject({ code: 4400 });
  });

  test('over WebSocket: subscribing before the handshake closes with 4401, silence with 4408', async () => {
    const gateway = await start({ graphql: { limits: { connectionInitTimeoutMs: 500 } } });
    const hasty = new RawSocket(gateway);
    const silent = new RawSocket(gateway);
    await hasty.opened();
    hasty.send({ type: 'subscribe', id: '1', payload: { query: '{ nothing }' } });
    expect((await hasty.closed).code).toBe(4401);
    expect((await silent.closed).code).toBe(4408);
  });

  test('another path has no WebSocket', async () => {
    const gateway = await start();
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/other`, 'graphql-transport-ws');
    expect(await new Promise((resolve) => socket.once('error', resolve))).toMatchObject({
      message: expect.stringContaining('404'),
    });
  });
});

describe('a token that ends while a stream goes on', () => {
  test('over WebSocket: each operation gets the error, then the connection closes with 4401', async () => {
    const gateway = await start();
    const token = await gateway.token(2_000);
    const socket = await new RawSocket(gateway).open(bearer(token));
    await socket.received('connection_ack');
    for (const id of ['1', '2'])
      socket.send({ type: 'subscribe', id, payload: { query: 'subscription { quiet { number } }' } });
    expect(await socket.closed).toMatchObject({ code: 4401, reason: expect.stringContaining('expired') });
    expect(
      socket.messages.filter(({ type }) => type === 'error').map(({ id, payload }) => [id, payload[0].extensions.code]),
    ).toEqual([
      ['1', 'UNAUTHENTICATED'],
      ['2', 'UNAUTHENTICATED'],
    ]);
    expect(gateway.graph.state.streamsOpen).toBe(0);
  });

  test('over SSE: the last event says so, and the stream completes', async () => {
    const gateway = await start();
    const token = await gateway.token(2_000);
    const response = await post(
      gateway,
      { query: 'subscription { quiet { number } }' },
      { ...bearer(token), accept: 'text/event-stream' },
    );
    const text = await response.text();
    expect(text).toMatch(
      /event: next\ndata: \{"errors":\[\{"message":"The token expired at .*","extensions":\{"code":"UNAUTHENTICATED".*\}\]\}\n\nevent: complete\ndata:\n\n$/,
    );
    expect(gateway.graph.state.streamsOpen).toBe(0);
  });

  test('a revoked one ends streams too', async () => {
    const gateway = await start();
    const { token, jti } = await gateway.tokenWithId();
    const response = await post(
      gateway,
      { query: 'subscription { quiet { number } }' },
      { ...bearer(token), accept: 'text/event-stream' },
    );
    gateway.revoked.add(jti);
    expect(await response.text()).toContain('The token was revoked');
  }, 15_000);
});

describe('bounds of a connection', () => {
  test('operations at once', async () => {
    const gateway = await start({ graphql: { limits: { operationsPerConnectionMax: 2 } } });
    const socket = await new RawSocket(gateway).open(bearer(await gateway.token()));
    await socket.received('connection_ack');
    for (const id of ['1', '2', '3'])
      socket.send({ type: 'subscribe', id, payload: { query: 'subscription { quiet { number } }' } });
    expect(await socket.received('error')).toMatchObject({
      id: '3',
      payload: [{ message: expect.stringContaining('at most 2'), extensions: { code: 'RATE_LIMITED' } }],
    });
    socket.send({ type: 'complete', id: '1' });
    await sleep(50);
    socket.send({ type: 'subscribe', id: '4', payload: { query: '{ nothing }' } });
    expect(await socket.received('next')).toMatchObject({ id: '4', payload: { data: { nothing: null } } });
    socket.close();
  });

  test('bytes of a message, over WebSocket and over HTTP', async () => {
    const gateway = await start({ bodyLimitBytes: 10_000, graphql: { limits: { messageBytesMax: 10_000 } } });
    const token = await gateway.token();
    const socket = await new RawSocket(gateway).open(bearer(token));
    await socket.received('connection_ack');
    socket.send({ type: 'subscribe', id: '1', payload: { query: `{ nothing } #${'x'.repeat(20_000)}` } });
    expect((await socket.closed).code).toBe(1009);
    const response = await post(gateway, { query: '{ nothing }', variables: { x: 'x'.repeat(20_000) } }, bearer(token));
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'PAYLOAD_TOO_LARGE' } }] });
  });

  test('completing a query over WebSocket aborts it', async () => {
    const gateway = await start();
    const socket = await new RawSocket(gateway).open(bearer(await gateway.token()));
    await socket.received('connection_ack');
    socket.send({ type: 'subscribe', id: '1', payload: { query: '{ waits }' } });
    const { waiting } = gateway.graph.state;
    while (waiting.length === 0) await sleep(2);
    socket.send({ type: 'complete', id: '1' });
    while (waiting[0]?.aborted !== true) await sleep(2);
    socket.close();
  });

  test('nonsense over WebSocket closes with 4400, an invalid operation does not', async () => {
    const gateway = await start();
    const socket = await new RawSocket(gateway).open(bearer(await gateway.token()));
    await socket.received('connection_ack');
    socket.send({ type: 'subscribe', id: '1', payload: { query: '{ persom }' } });
    expect(await socket.received('error')).toMatchObject({
      payload: [{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' }, locations: [{ line: 1, column: 3 }] }],
    });
    socket.send({ type: 'nonsense' });
    expect((await socket.closed).code).toBe(4400);
  });

  test('an SSE stream is not compressed, not cached, and pinged', async () => {
    const gateway = await start();
    const response = await post(
      gateway,
      { query: 'subscription { ticks(count: 1) { number } }' },
      { ...bearer(await gateway.token()), accept: 'text/event-stream', 'accept-encoding': 'gzip' },
    );
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
    });
    expect(response.headers.get('content-encoding')).toBeNull();
    expect(response.headers.get('x-request-id')).toMatch(/./);
    expect(await response.text()).toBe(
      'event: next\ndata: {"data":{"ticks":{"number":0}}}\n\nevent: complete\ndata:\n\n',
    );
  });

  test('an operation refused over SSE is an event, as the protocol has it', async () => {
    const gateway = await start();
    const response = await post(
      gateway,
      { query: '{ persom }' },
      { ...bearer(await gateway.token()), accept: 'text/event-stream' },
    );
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('GRAPHQL_VALIDATION_FAILED');
  });
});

describe('production', () => {
  test('has no introspection, no hints at names, and no GraphiQL', async () => {
    const gateway = await start({ production: true });
    const headers = bearer(await gateway.token());
    for (const query of [getIntrospectionQuery(), '{ __type(name: "Person") { name } }']) {
      const response = await post(gateway, { query }, headers);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ errors: [{ message: 'Introspection is off in production.' }] });
    }
    expect(await (await post(gateway, { query: '{ __typename }' }, headers)).json()).toEqual({
      data: { __typename: 'Query' },
    });
    expect(await (await post(gateway, { query: '{ nothin }' }, headers)).json()).toMatchObject({
      errors: [{ message: 'Cannot query field "nothin" on type "Query".' }],
    });
    expect((await fetch(`${gateway.url}/graphql`, { headers: { accept: 'text/html' } })).status).toBe(401);
  });
});

describe('GraphiQL', () => {
  test('is one page that loads nothing from elsewhere', async () => {
    const gateway = await start();
    const response = await fetch(`${gateway.url}/graphql`, { headers: { accept: 'text/html,*/*' } });
    expect(response.status).toBe(200);
    const policy = response.headers.get('content-security-policy');
    expect(policy).toMatch(/^default-src 'none'; script-src 'sha256-/);
    expect(policy).toContain("connect-src 'self'");
    expect(policy).not.toMatch(/https?:/);
    const html = await response.text();
    // The page's own markup: what looks like tags inside its script is text of the editor.
    const markup = html.slice(0, html.indexOf('<script>')) + html.slice(html.lastIndexOf('</script>'));
    expect(markup.match(/(src|href)="(?!data:)/g) ?? []).toEqual([]);
    const again = await fetch(`${gateway.url}/graphql`, {
      headers: { accept: 'text/html', 'if-none-match': response.headers.get('etag') ?? '' },
    });
    expect(again.status).toBe(304);
  });
});

describe('reloading the supergraph', () => {
  let gateway: TestGateway;
  let token: string;
  beforeAll(async () => {
    gateway = await startTestGateway({ overHttp: false });
    token = await gateway.token();
  });
  afterAll(() => gateway.close());

  const smaller = compose({
    people: peopleSdl.replace('nothing: String @access(roles: [])', ''),
    usage: usageSdl,
    feed: feedSdl,
  });
  const answers = async () =>
    (await (await post(gateway, { query: '{ nothing }' }, bearer(token))).json()) as {
      data?: unknown;
      errors?: unknown;
    };
  const until = async (condition: () => Promise<boolean> | boolean) => {
    for (let tries = 0; tries < 400; tries += 1) {
      if (await condition()) return;
      await sleep(10);
    }
    throw new Error('it did not come true');
  };

  test('new requests see the new one; what runs goes on with the old one', async () => {
    const socket = await new RawSocket(gateway).open(bearer(token));
    await socket.received('connection_ack');
    socket.send({ type: 'subscribe', id: 's', payload: { query: 'subscription { ticks(everyMs: 5) { number } }' } });
    await socket.received('next');
    const running = post(gateway, { query: '{ waits }' }, bearer(token));
    await until(() => gateway.graph.state.waiting.length > 0);
    writeFileSync(gateway.supergraphPath, smaller);
    await until(async () => (await answers()).errors !== undefined);
    const seen = socket.messages.length;
    await until(() => socket.messages.length > seen + 5);
    expect(socket.messages.some(({ type }) => type === 'error' || type === 'complete')).toBe(false);
    socket.close();
    gateway.graph.state.waiting.length = 0;
    void running.catch(() => undefined);
  });

  test('a bad file is refused with a log line, and the old one stays', async () => {
    const before = gateway.supergraph.current;
    gateway.logLines.length = 0;
    writeFileSync(gateway.supergraphPath, 'type Query { broken');
    await until(() => gateway.logLines.some(({ msg }) => String(msg).includes('refused')));
    expect(gateway.supergraph.current).toBe(before);
    expect(gateway.logLines.filter(({ msg }) => String(msg).includes('refused'))).toHaveLength(1);
    rmSync(gateway.supergraphPath);
    await until(() => gateway.logLines.some(({ msg }) => String(msg).includes('cannot be read')));
    expect(gateway.supergraph.current).toBe(before);
  });

  test('an editor that replaces the file by a rename is noticed', async () => {
    const draft = join(mkdtempSync(join(tmpdir(), 'draft-')), 'draft.graphql');
    writeFileSync(draft, gateway.graph.sdl);
    renameSync(draft, gateway.supergraphPath);
    await until(async () => (await answers()).data !== undefined);
  });
});

describe('a stop', () => {
  test('ends streams with SHUTTING_DOWN after the time to drain, and closes', async () => {
    const gateway = await startTestGateway({ overHttp: false });
    const token = await gateway.token();
    gateway.lifecycle.onClose('server', () => gateway.server.close());
    const socket = await new RawSocket(gateway).open(bearer(token));
    await socket.received('connection_ack');
    socket.send({ type: 'subscribe', id: '1', payload: { query: 'subscription { quiet { number } }' } });
    const events = await post(
      gateway,
      { query: 'subscription { quiet { number } }' },
      { ...bearer(token), accept: 'text/event-stream' },
    );
    const startedAt = Date.now();
    const stopped = gateway.lifecycle.shutdown();
    expect(await events.text()).toContain('SHUTTING_DOWN');
    expect(await socket.received('error')).toMatchObject({
      payload: [{ extensions: { code: 'SHUTTING_DOWN', retryable: true } }],
    });
    expect([1001, 1012]).toContain((await socket.closed).code);
    await stopped;
    expect(Date.now() - startedAt).toBeLessThan(4_000);
    gateway.supergraph.close();
  });
});

describe('reports to Apollo', () => {
  test('cannot start: no ApolloGateway is made, and Apollo Server has every reporting plugin disabled', () => {
    const folder = new URL('.', import.meta.url).pathname;
    const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
    );
    for (const name of sources)
      expect(readFileSync(join(folder, name), 'utf8')).not.toMatch(/new ApolloGateway|import \{[^}]*\bApolloGateway\b/);
    const handler = readFileSync(join(folder, 'apollo-handler.ts'), 'utf8');
    for (const plugin of ['UsageReporting', 'SchemaReporting', 'InlineTrace'])
      expect(handler).toContain(`ApolloServerPlugin${plugin}Disabled()`);
  });
});
