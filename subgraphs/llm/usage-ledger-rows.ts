import type { ErrorCode } from '#platform/errors.ts';
import type { ProviderName, TokenUsage } from './providers/provider.ts';
import { sumOfCosts, type TokenPrice } from './usage-cost.ts';

export type RequestKind = 'COMPLETION' | 'EMBEDDING';
/** How a request can end here; INTERRUPTED is what others write when this process has died. */
export type FinalStatus = 'SUCCEEDED' | 'FAILED' | 'CANCELLED';

/** The upstream that an attempt calls, and what it charges. */
export interface AttemptTarget {
  readonly provider: ProviderName;
  /** The provider's own name of the model. */
  readonly model: string;
  /** Null when nobody has set one: the cost stays null. */
  readonly price: TokenPrice | null;
  readonly priceVersion: string | null;
}

/** What is written before anything is asked of a provider. */
export interface Intent extends AttemptTarget {
  readonly requestId: string;
  readonly kind: RequestKind;
  /** Checked by `@access`. */
  readonly microdaoId: string;
  readonly agentId: string | null;
  readonly subject: string;
  readonly actor: string | null;
  readonly requestedModel: string;
  /** Characters of input, for an estimate when nobody lives to count. */
  readonly inputChars: number;
  readonly idempotency?: { readonly scope: string; readonly bodyHash: string } | undefined;
}

/** What a running stream has given, as near as is known without counting: see `completion-answer.ts`. */
export interface Delivered extends TokenUsage {
  readonly timeToFirstTokenMs: number;
}

/** An open request of this process. */
export interface OpenRequest {
  readonly id: string;
  readonly createdAt: Date;
  readonly intent: Intent;
  attempt: { number: number; target: AttemptTarget; startedAt: number };
  /** Of earlier attempts, all of them failed. */
  readonly earlier: SettledAttempt[];
  /** What the client was given until now; asked at each checkpoint of a stream. */
  delivered: (() => Delivered | undefined) | undefined;
}

export interface Settlement {
  readonly status: FinalStatus;
  readonly errorCode?: ErrorCode | undefined;
  readonly usage: TokenUsage;
  /** True when the provider told no usage and it was counted here. */
  readonly estimated: boolean;
  /** From the request's beginning, in milliseconds. */
  readonly latencyMs: number;
  readonly timeToFirstTokenMs?: number | undefined;
  /** Kept under the idempotency key of a request that SUCCEEDED; JSON. */
  readonly answer?: string | undefined;
}

export interface SettledAttempt {
  readonly usage: TokenUsage;
  readonly costUsd: string | null;
  readonly estimated: boolean;
}

/** The request's figures as its row now holds them, over all attempts. */
export interface Bill extends TokenUsage {
  /** `numeric` text with 10 decimals; null when the model has no price. */
  readonly costUsd: string | null;
  readonly estimated: boolean;
}

export const noUsage: TokenUsage = { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, reasoningTokens: 0 };

export const milliseconds = (value: number): number => Math.min(2_147_483_647, Math.max(0, Math.round(value)));

const count = (value: number): number => (Number.isFinite(value) && value > 0 ? Math.min(Math.round(value), 1e12) : 0);

/** Whole, not negative, cached within input and reasoning within output, whatever a provider has told. */
export function sane(usage: TokenUsage): TokenUsage {
  const inputTokens = count(usage.inputTokens);
  const outputTokens = count(usage.outputTokens);
  return {
    inputTokens,
    outputTokens,
    cachedInputTokens: Math.min(inputTokens, count(usage.cachedInputTokens)),
    reasoningTokens: Math.min(outputTokens, count(usage.reasoningTokens)),
  };
}

export function figuresOf(
  request: OpenRequest,
  end: Omit<Settlement, 'status'>,
  usage: TokenUsage,
  costUsd: string | null,
) {
  const { number, startedAt } = request.attempt;
  const ttftMs = end.timeToFirstTokenMs === undefined ? null : milliseconds(end.timeToFirstTokenMs);
  return {
    id: request.id,
    number,
    error_code: end.errorCode ?? null,
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    cached_tokens: usage.cachedInputTokens,
    reasoning_tokens: usage.reasoningTokens,
    cost_usd: costUsd,
    estimated: end.estimated,
    latency_ms: milliseconds(performance.now() - startedAt),
    ttft_ms: ttftMs,
  };
}

export function sumOfAttempts(attempts: readonly SettledAttempt[]): Bill {
  const sum = (field: keyof TokenUsage) => attempts.reduce((total, { usage }) => total + usage[field], 0);
  return {
    inputTokens: sum('inputTokens'),
    outputTokens: sum('outputTokens'),
    cachedInputTokens: sum('cachedInputTokens'),
    reasoningTokens: sum('reasoningTokens'),
    costUsd: sumOfCosts(attempts.map(({ costUsd }) => costUsd)),
    estimated: attempts.some(({ estimated }) => estimated),
  };
}
