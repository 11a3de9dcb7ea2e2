import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from './errors.ts';
import { createHttpServer } from './http-server.ts';
import { Lifecycle } from './lifecycle.ts';
import { createMetrics } from './metrics.ts';

describe('the server under every process', () => {
  let server: FastifyInstance;
  let lifecycle: Lifecycle;
  let url: string;
  let lines: Record<string, any>[];
  let databaseWorks: boolean;

  beforeEach(async () => {
    lines = [];
    databaseWorks = true;
    const logger = pino(
      { level: 'info' },
      { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, any>) },
    );
    lifecycle = new Lifecycle({ logger, drainTimeoutMs: 2_000 });
    const ping = async () => {
      if (!databaseWorks) throw new Error('down');
    };
    server = createHttpServer({
      logger,
      metrics: createMetrics(),
      lifecycle,
      bodyLimitBytes: 1_000,
      healthChecks: {
        database: { ping, required: true },
        index: { ping: () => Promise.reject(new Error('down')), required: false },
      },
    });
    server.get('/ok', (request, reply) => {
      request.logged.caller = 'user:someone';
      return reply.send({ ok: true });
    });
    server.get('/slow', () => sleep(300, { ok: true }));
    server.get('/defect', () => Promise.reject(new Error('a secret of the inside')));
    server.get('/limited', () => Promise.reject(new AppError('RATE_LIMITED', 'Slow down.', { retryAfterMs: 1_200 })));
    server.post('/echo', (request, reply) => reply.send(request.body));
    lifecycle.onClose('server', () => server.close());
    url = await server.listen({ port: 0, host: '127.0.0.1' });
  });
  afterEach(() => lifecycle.shutdown());

  const lastLine = async () => {
    await expect.poll(() => lines.filter(({ msg }) => msg === 'request').length).toBeGreaterThan(0);
    return lines.findLast(({ msg }) => msg === 'request')!;
  };

  it('keeps a sane request id, makes one for others, and logs one line a request', async () => {
    const given = await fetch(`${url}/ok?token=secret`, { headers: { 'x-request-id': 'mine-1' } });
    expect(given.headers.get('x-request-id')).toBe('mine-1');
    expect(await lastLine()).toMatchObject({
      requestId: 'mine-1',
      method: 'GET',
      route: '/ok',
      status: 200,
      caller: 'user:someone',
      durationMs: expect.any(Number),
    });
    expect(JSON.stringify(lines)).not.toContain('secret');
    const other = await fetch(`${url}/ok`, { headers: { 'x-request-id': 'not sane\u00e9' } });
    expect(other.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('answers errors in one shape, and shows nothing of a defect', async () => {
    const limited = await fetch(`${url}/limited`);
    expect(limited.status).toBe(429);
    expect(limited.headers.get('retry-after')).toBe('2');
    expect(await limited.json()).toMatchObject({
      error: { code: 'RATE_LIMITED', message: 'Slow down.', retryable: true },
    });
    const defect = await fetch(`${url}/defect`);
    expect(defect.status).toBe(500);
    expect(await defect.text()).not.toContain('secret of the inside');
    expect(JSON.stringify(lines)).toContain('secret of the inside');
    for (const [path, init, status, code] of [
      ['/nothing', {}, 404, 'NOT_FOUND'],
      ['/%E0%A4%A', {}, 400, 'BAD_REQUEST'],
      ['/echo', { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }, 400, 'BAD_REQUEST'],
      [
        '/echo',
        { method: 'POST', body: 'x', headers: { 'content-type': 'text/plain' } },
        415,
        'UNSUPPORTED_MEDIA_TYPE',
      ],
      [
        '/echo',
        {
          method: 'POST',
          body: JSON.stringify('x'.repeat(2_000_000)),
          headers: { 'content-type': 'application/json' },
        },
        413,
        'PAYLOAD_TOO_LARGE',
      ],
    ] as const) {
      const response = await fetch(url + path, init);
      expect([response.status, ((await response.json()) as any).error.code]).toEqual([status, code]);
    }
  });

  it('logs a request whose client left before the answer', async () => {
    await expect(fetch(`${url}/slow`, { signal: AbortSignal.timeout(50) })).rejects.toThrow();
    const line = await lastLine();
    expect(line).toMatchObject({ route: '/slow', status: 499 });
    expect(line['durationMs']).toBeGreaterThan(30);
  });

  it('tells its health: live whatever happens, degraded or unready as its dependencies are', async () => {
    const ready = await fetch(`${url}/health/ready`);
    expect([ready.status, await ready.json()]).toMatchObject([
      200,
      { status: 'degraded', checks: { database: { status: 'ok' }, index: { status: 'failed' } } },
    ]);
    databaseWorks = false;
    await expect.poll(async () => (await fetch(`${url}/health/ready`)).status, { timeout: 3_000 }).toBe(503);
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
  });

  it('shows its metrics', async () => {
    await fetch(`${url}/ok`);
    await lastLine();
    expect(await (await fetch(`${url}/metrics`)).text()).toContain(
      'http_request_duration_seconds_count{method="GET",route="/ok",status="200"} 1',
    );
  });

  it('stops: what is under way finishes, what comes later is sent away, idle connections do not hold it up', async () => {
    const idle = connect(Number(new URL(url).port), '127.0.0.1');
    await once(idle, 'connect');
    const slow = fetch(`${url}/slow`);
    await sleep(50);
    const startedAt = performance.now();
    const stopped = lifecycle.shutdown();
    const late = await fetch(`${url}/ok`);
    expect([late.status, ((await late.json()) as any).error.code]).toEqual([503, 'SHUTTING_DOWN']);
    expect((await fetch(`${url}/health/ready`)).status).toBe(503);
    expect((await slow).status).toBe(200);
    await stopped;
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    await expect(fetch(`${url}/ok`)).rejects.toThrow();
  });
});
