import type { FastifyInstance } from 'fastify';
import type { Lifecycle } from './lifecycle.ts';

export interface HealthCheck {
  /** Rejects when the dependency does not work. */
  readonly ping: (signal: AbortSignal) => Promise<unknown>;
  /** Without it the process can't serve: a failure answers 503. Others only degrade. */
  readonly required: boolean;
}

type CheckResult = { readonly status: 'ok' | 'failed'; readonly latency_ms: number };

const checkTimeoutMs = 2_000;
// Probes of several callers within this time share one round of pings.
const resultAgeMaxMs = 1_000;

/**
 * `/health/live` (the process runs; depends on nothing) and `/health/ready` (every dependency with its latency).
 * Readiness turns false first when the process is told to stop.
 */
export function registerHealth(
  server: FastifyInstance,
  checks: Readonly<Record<string, HealthCheck>>,
  lifecycle: Lifecycle,
): void {
  let last: { at: number; results: Promise<Record<string, CheckResult>> } | undefined;

  const runChecks = async (): Promise<Record<string, CheckResult>> =>
    Object.fromEntries(
      await Promise.all(
        Object.entries(checks).map(async ([name, { ping }]): Promise<[string, CheckResult]> => {
          const startedAt = performance.now();
          const status = await answersInTime(ping);
          return [name, { status, latency_ms: Math.round((performance.now() - startedAt) * 10) / 10 }];
        }),
      ),
    );

  server.get('/health/live', { logLevel: 'silent' }, async () => ({ status: 'ok' }));

  server.get('/health/ready', { logLevel: 'silent' }, async (_request, reply) => {
    if (last === undefined || Date.now() - last.at > resultAgeMaxMs) last = { at: Date.now(), results: runChecks() };
    const results = await last.results;
    const failed = Object.entries(results).filter(([, { status }]) => status === 'failed');
    const unready = lifecycle.draining || failed.some(([name]) => checks[name]?.required === true);
    const status = unready ? 'unready' : failed.length > 0 ? 'degraded' : 'ok';
    return reply.code(unready ? 503 : 200).send({ status, checks: results });
  });
}

async function answersInTime(ping: HealthCheck['ping']): Promise<CheckResult['status']> {
  const signal = AbortSignal.timeout(checkTimeoutMs);
  const late = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  // Unready is the answer here, not a failure of the check.
  return Promise.race([ping(signal), late]).then(
    () => 'ok',
    () => 'failed',
  );
}
