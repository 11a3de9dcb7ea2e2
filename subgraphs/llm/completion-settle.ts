import type { AnswerBuilder, CompletionAnswer } from './completion-answer.ts';
import type { PreparedCompletion } from './completion-prepare.ts';
import type { LlmDependencies } from './llm-dependencies.ts';
import type { FinishReason, ProviderCompletion, ProviderState, TokenUsage } from './providers/provider.ts';
import type { Failure } from './request-deadline.ts';
import { countInputTokens, countOutputTokens } from './usage-estimate.ts';
import { noUsage, type Bill, type OpenRequest } from './usage-ledger-rows.ts';

/** How a completion came out of its provider. */
export interface Finish {
  readonly model: string | undefined;
  readonly reason: FinishReason;
  readonly providerState: ProviderState | undefined;
}

type Content = Pick<ProviderCompletion, 'content' | 'reasoning' | 'refusal' | 'toolCalls'>;

/** Settles a whole answer, and only then gives it. */
export async function settleAnswer(
  llm: LlmDependencies,
  prepared: PreparedCompletion,
  request: OpenRequest,
  content: Content,
  finish: Finish,
  told: TokenUsage | undefined,
  timeToFirstTokenMs?: number,
): Promise<CompletionAnswer> {
  const usage = told ?? countUsage(prepared, content);
  const { attempt } = request;
  const answer: Omit<CompletionAnswer, 'usage'> = {
    id: request.id,
    requestId: prepared.intent.requestId,
    model: finish.model ?? attempt.target.model,
    provider: attempt.target.provider,
    ...content,
    finishReason: finish.reason,
    createdAt: request.createdAt.toISOString(),
    providerState: finish.providerState,
  };
  const latencyMs = performance.now() - prepared.startedAt;
  const estimated = told === undefined;
  // The stored answer tells the cost as well, which the ledger makes out: it is asked for beforehand.
  const stored =
    prepared.claim === undefined
      ? undefined
      : JSON.stringify({ ...answer, usage: llm.ledger.billFor(request, usage, estimated) });
  const bill = await llm.ledger.settle(request, {
    status: 'SUCCEEDED',
    usage,
    estimated,
    latencyMs,
    timeToFirstTokenMs,
    answer: stored,
  });
  llm.metrics.settled(request, 'SUCCEEDED', bill, latencyMs, timeToFirstTokenMs);
  return { ...answer, usage: bill };
}

/**
 * Settles a request that failed, or whose client left. Nothing delivered costs nothing; otherwise what was delivered
 * is billed by the provider's figures, or where those are missing or behind by counting.
 */
export async function settleFailure(
  llm: LlmDependencies,
  prepared: PreparedCompletion,
  request: OpenRequest,
  failure: Failure,
  delivered: AnswerBuilder | undefined,
  timeToFirstTokenMs?: number,
): Promise<Bill> {
  const { usage, estimated } = usageUntilNow(prepared, delivered);
  const latencyMs = performance.now() - prepared.startedAt;
  const { status, errorCode } = failure;
  const bill = await llm.ledger.settle(request, { status, errorCode, usage, estimated, latencyMs, timeToFirstTokenMs });
  llm.metrics.settled(request, status, bill, latencyMs, timeToFirstTokenMs);
  return bill;
}

function usageUntilNow(
  prepared: PreparedCompletion,
  delivered: AnswerBuilder | undefined,
): { usage: TokenUsage; estimated: boolean } {
  const told = delivered?.usage;
  if (delivered === undefined || (delivered.isEmpty && told === undefined)) return { usage: noUsage, estimated: false };
  const counted = countUsage(prepared, delivered.content());
  if (told === undefined) return { usage: counted, estimated: true };
  // In the middle of a stream a provider may have told the input only, or the output of a while ago.
  const isBehind = counted.outputTokens > told.outputTokens;
  return {
    usage: {
      inputTokens: told.inputTokens > 0 ? told.inputTokens : counted.inputTokens,
      cachedInputTokens: told.cachedInputTokens,
      outputTokens: Math.max(told.outputTokens, counted.outputTokens),
      reasoningTokens: Math.max(told.reasoningTokens, counted.reasoningTokens),
    },
    estimated: isBehind || told.inputTokens === 0,
  };
}

function countUsage(prepared: PreparedCompletion, content: Content): TokenUsage {
  return {
    inputTokens: countInputTokens(prepared.request),
    cachedInputTokens: 0,
    ...countOutputTokens(content),
  };
}
