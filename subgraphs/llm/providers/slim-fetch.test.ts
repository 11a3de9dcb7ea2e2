import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { SlimFetch, type SlimFetchOptions } from './slim-fetch.ts';

const never = new AbortController().signal;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function open(
  listener: RequestListener,
  options?: SlimFetchOptions,
): Promise<{ fetch: SlimFetch; server: Server }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const fetch = new SlimFetch(`http://127.0.0.1:${(server.address() as { port: number }).port}`, options);
  closers.push(
    () => (server.closeAllConnections(), server.close()),
    () => fetch.close(),
  );
  return { fetch, server };
}
const get = (streams = false, signal: AbortSignal = never) => ({ method: 'GET', headers: {}, signal, streams });

describe('slim fetch', () => {
  it('reads whole bodies, headers and JSON', async () => {
    const { fetch } = await open((request, response) => {
      response.setHeader('x-many', ['a', 'b']);
      response.write('{"path":');
      setTimeout(() => response.end(`"${request.url}"}`), 5);
    });
    const response = await fetch.request('/a?b=1', get());
    expect([response.status, response.ok, response.headers.get('X-Many'), response.headers.get('none')]).toEqual([
      200,
      true,
      'a, b',
      null,
    ]);
    expect([...response.headers].map(([name]) => name)).toContain('x-many');
    expect(await response.json()).toEqual({ path: '/a?b=1' });
  });

  it('holds the sender back while the reader is slow, and loses nothing', async () => {
    const megabytes = 20;
    let sent = 0;
    const { fetch } = await open(async (_, response) => {
      for (; sent < megabytes; sent += 1) {
        if (!response.write(Buffer.alloc(1024 * 1024, sent)))
          await new Promise((resolve) => response.once('drain', resolve));
      }
      response.end();
    });
    const response = await fetch.request('/', get(true));
    await response.body.next();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(sent).toBeLessThan(megabytes);
    let bytes = 0;
    for await (const chunk of response.body) bytes += chunk.length;
    expect(bytes).toBeGreaterThan((megabytes - 2) * 1024 * 1024);
    expect(sent).toBe(megabytes);
  });

  it('refuses more requests than may wait, and gives up on one that waits too long for a connection', async () => {
    const { fetch } = await open(() => undefined, {
      connectionsMax: 1,
      waitingMax: 1,
      deadlines: { firstTokenMs: 80 },
    });
    const first = fetch.request('/', get());
    const second = fetch.request('/', get());
    const third = fetch.request('/', get());
    await expect(third).rejects.toMatchObject({ name: 'UpstreamConnectionError' });
    await expect(first).rejects.toMatchObject({ phase: 'first byte' });
    await expect(second).rejects.toMatchObject({ phase: 'first byte' });
  });

  it('forgets an aborted request that waits for a connection', async () => {
    let requests = 0;
    const { fetch } = await open(
      (_, response) => {
        requests += 1;
        setTimeout(() => response.end(), 30);
      },
      { connectionsMax: 1 },
    );
    const first = fetch.request('/', get());
    const abort = new AbortController();
    const second = fetch.request('/', get(false, abort.signal));
    abort.abort(new Error('left'));
    await expect(second).rejects.toThrow('left');
    await (await first).text();
    await (await fetch.request('/', get())).text();
    expect(requests).toBe(2);
  });

  it('reports a broken body with what came before it, and a server that does not speak HTTP', async () => {
    const { fetch } = await open((_, response) => {
      response.write('half');
      setTimeout(() => response.destroy(), 10);
    });
    const response = await fetch.request('/', get(true));
    expect(String((await response.body.next()).value)).toBe('half');
    await expect(response.body.next()).rejects.toMatchObject({ name: 'UpstreamConnectionError' });
    await expect((await fetch.request('/', get())).text()).rejects.toMatchObject({ name: 'UpstreamConnectionError' });

    const tcp = createTcpServer((socket) => void socket.end('SSH-2.0-OpenSSH\r\n')).listen(0, '127.0.0.1');
    await new Promise((resolve) => tcp.once('listening', resolve));
    const other = new SlimFetch(`http://127.0.0.1:${(tcp.address() as { port: number }).port}`);
    closers.push(
      () => tcp.close(),
      () => other.close(),
    );
    await expect(other.request('/', get())).rejects.toMatchObject({
      code: expect.stringMatching(/^(HPE_|HTTPParserError)/),
    });
  });

  it('keeps the connection after a stream whose last word was read, and cuts one that does not end', async () => {
    let closed = 0;
    const { fetch, server } = await open((request, response) => {
      response.write('data');
      if (request.url === '/ends') setTimeout(() => response.end(), 20);
    });
    server.on('connection', (socket) => socket.once('close', () => (closed += 1)));
    for (const path of ['/ends', '/never']) {
      const response = await fetch.request(path, get(true));
      await response.body.next();
      response.release();
    }
    await expect.poll(() => closed, { timeout: 3000 }).toBe(1);
  });

  it('leaves no listener on a signal that lives long', async () => {
    const { fetch } = await open((_, response) => void response.end('ok'));
    const listeners = new Set<unknown>();
    const signal = new AbortController().signal;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => (
      listeners.add(args[1]),
      addEventListener.apply(signal, args)
    );
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => (
      listeners.delete(args[1]),
      removeEventListener.apply(signal, args)
    );
    for (let count = 0; count < 5; count += 1) await (await fetch.request('/', get(false, signal))).text();
    expect(listeners.size).toBe(0);
  });
});
