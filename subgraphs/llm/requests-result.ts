import { requestCursor, type LlmAttemptRow, type LlmRequestRow, type RequestPage } from './requests.ts';
import type { LlmAttempt, LlmRequest, LlmRequestConnection, LlmTokenUsage } from './resolver-types.ts';

/** A request before its attempts are asked for. */
export type RequestParent = Omit<LlmRequest, 'attempts'> & {
  readonly readAttempts: () => Promise<readonly LlmAttemptRow[]>;
};

export function toRequestConnection(page: RequestPage, hasPreviousPage: boolean): LlmRequestConnection {
  // `attempts` is read by its own resolver, under its own @access.
  const nodes = page.rows.map((row) => toRequest(row, page)) as unknown as LlmRequest[];
  const edges = nodes.map((node) => ({ node, cursor: requestCursor(node.id) }));
  return {
    nodes,
    edges,
    pageInfo: {
      hasNextPage: page.hasNextPage,
      hasPreviousPage,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

function toRequest(row: LlmRequestRow, page: RequestPage): RequestParent {
  const {
    id,
    requestId,
    kind,
    microdaoId,
    agentId,
    subject,
    actor,
    requestedModel,
    provider,
    model,
    status,
    errorCode,
    priceVersion,
    createdAt,
  } = row;
  return {
    id,
    requestId,
    kind,
    // Only the keys: whoever asks for more is led to the subgraph that owns it.
    microdao: { id: microdaoId } as LlmRequest['microdao'],
    agent: agentId == null ? null : ({ microdaoId, id: agentId } as NonNullable<LlmRequest['agent']>),
    subject,
    actor: actor ?? null,
    requestedModel,
    provider,
    model,
    status,
    errorCode: errorCode ?? null,
    usage: toUsage(row),
    priceVersion: priceVersion ?? null,
    createdAt,
    finishedAt: row.settledAt ?? null,
    latencyMs: row.latencyMs ?? null,
    timeToFirstTokenMs: row.ttftMs ?? null,
    readAttempts: () => page.attemptsOf(id),
  };
}

export function toAttempt(row: LlmAttemptRow): LlmAttempt {
  const { number, provider, model, status, errorCode, priceVersion, startedAt, latencyMs, ttftMs } = row;
  return {
    number,
    provider,
    model,
    status,
    errorCode: errorCode ?? null,
    usage: toUsage(row),
    priceVersion: priceVersion ?? null,
    startedAt,
    latencyMs: latencyMs ?? null,
    timeToFirstTokenMs: ttftMs ?? null,
  };
}

const toUsage = (row: LlmRequestRow | LlmAttemptRow): LlmTokenUsage => ({
  inputTokens: row.inputTokens,
  outputTokens: row.outputTokens,
  cachedInputTokens: row.cachedInputTokens,
  reasoningTokens: row.reasoningTokens,
  costUsd: row.costUsd == null ? null : Number(row.costUsd),
  estimated: row.estimated,
});
