import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Bill, FinalStatus, OpenRequest } from './usage-ledger-rows.ts';

/** What the subgraph tells Prometheus. Never a tenant or an agent as a label: their number is not bounded. */
export interface LlmMetrics {
  /** A request is settled; `timeToFirstTokenMs` of streams. */
  settled(
    request: OpenRequest,
    status: FinalStatus,
    bill: Bill,
    latencyMs: number,
    timeToFirstTokenMs: number | undefined,
  ): void;
}

/** Models outside the catalogue can be named freely; beyond so many names they count as `other`. */
const modelLabelsMax = 200;

/** @param openRequests read when Prometheus scrapes */
export function createLlmMetrics(registry: Registry, openRequests: () => number): LlmMetrics {
  const registers = [registry];
  const labelNames = ['provider', 'model'] as const;
  const requests = new Counter({
    name: 'llm_requests_total',
    help: 'Requests by how they ended.',
    labelNames: [...labelNames, 'kind', 'status'],
    registers,
  });
  const tokens = new Counter({
    name: 'llm_tokens_total',
    help: 'Tokens billed.',
    labelNames: [...labelNames, 'direction'],
    registers,
  });
  const cost = new Counter({
    name: 'llm_cost_usd_total',
    help: 'Cost in US dollars; the exact sum is in the ledger.',
    labelNames,
    registers,
  });
  const buckets = [0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300];
  const duration = new Histogram({
    name: 'llm_request_duration_seconds',
    help: 'From the request to the settled answer.',
    labelNames,
    buckets,
    registers,
  });
  const firstToken = new Histogram({
    name: 'llm_time_to_first_token_seconds',
    help: 'From the request to the first token of a stream.',
    labelNames,
    buckets: [0.005, 0.01, 0.025, ...buckets],
    registers,
  });
  const open = new Gauge({
    name: 'llm_open_requests',
    help: 'Requests that are open in the ledger in this process.',
    registers,
    collect() {
      this.set(openRequests());
    },
  });
  open.set(0);
  const models = new Set<string>();
  const modelLabel = (model: string): string => {
    if (models.has(model)) return model;
    if (models.size >= modelLabelsMax) return 'other';
    models.add(model);
    return model;
  };
  return {
    settled(request, status, bill, latencyMs, timeToFirstTokenMs) {
      const { provider, model: name } = request.attempt.target;
      const model = modelLabel(name);
      requests.inc({ provider, model, kind: request.intent.kind, status });
      if (bill.inputTokens > 0) tokens.inc({ provider, model, direction: 'input' }, bill.inputTokens);
      if (bill.outputTokens > 0) tokens.inc({ provider, model, direction: 'output' }, bill.outputTokens);
      if (bill.costUsd !== null) cost.inc({ provider, model }, Number(bill.costUsd));
      duration.observe({ provider, model }, latencyMs / 1_000);
      if (timeToFirstTokenMs !== undefined) firstToken.observe({ provider, model }, timeToFirstTokenMs / 1_000);
    },
  };
}
