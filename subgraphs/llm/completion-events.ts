import { internalError } from '#platform/error-response.ts';
import { AppError } from '#platform/errors.ts';
import type { CompletionAnswer } from './completion-answer.ts';
import type { FinishReason as ProviderFinishReason, ProviderEvent } from './providers/provider.ts';
import type {
  CompletionFailed,
  CompletionFinished,
  CompletionReasoning,
  CompletionRefusal,
  CompletionStarted,
  CompletionText,
  CompletionToolCall,
  FinishReason,
  LlmTokenUsage,
} from './resolver-types.ts';
import type { Bill, OpenRequest } from './usage-ledger-rows.ts';

/** The subscription's events, as GraphQL takes them. */
export type CompletionStreamEvent =
  | (CompletionStarted & { readonly __typename: 'CompletionStarted' })
  | (CompletionText & { readonly __typename: 'CompletionText' })
  | (CompletionReasoning & { readonly __typename: 'CompletionReasoning' })
  | (CompletionRefusal & { readonly __typename: 'CompletionRefusal' })
  | (CompletionToolCall & { readonly __typename: 'CompletionToolCall' })
  | (CompletionFinished & { readonly __typename: 'CompletionFinished' })
  | (CompletionFailed & { readonly __typename: 'CompletionFailed' });

export const toFinishReason = (reason: ProviderFinishReason): FinishReason => reason.toUpperCase() as FinishReason;

/** Exact until here; at the edge money is a Float. */
export const toTokenUsage = (bill: Bill): LlmTokenUsage => ({
  inputTokens: bill.inputTokens,
  outputTokens: bill.outputTokens,
  cachedInputTokens: bill.cachedInputTokens,
  reasoningTokens: bill.reasoningTokens,
  costUsd: bill.costUsd === null ? null : Number(bill.costUsd),
  estimated: bill.estimated,
});

export const started = (request: OpenRequest, requestId: string): CompletionStreamEvent => {
  const { model, provider } = request.attempt.target;
  return {
    __typename: 'CompletionStarted',
    type: 'STARTED',
    id: request.id,
    requestId,
    model,
    provider,
    createdAt: request.createdAt,
  };
};

export function toDelta(
  event: Extract<ProviderEvent, { type: 'text' | 'reasoning' | 'refusal' | 'tool_call' }>,
): CompletionStreamEvent {
  switch (event.type) {
    case 'text':
      return { __typename: 'CompletionText', type: 'TEXT', text: event.text };
    case 'reasoning':
      return { __typename: 'CompletionReasoning', type: 'REASONING', text: event.text };
    case 'refusal':
      return { __typename: 'CompletionRefusal', type: 'REFUSAL', text: event.text };
    case 'tool_call':
      return {
        __typename: 'CompletionToolCall',
        type: 'TOOL_CALL',
        index: event.index,
        id: event.id ?? null,
        name: event.name ?? null,
        arguments: event.arguments,
      };
  }
}

export const finished = (answer: CompletionAnswer): CompletionStreamEvent => ({
  __typename: 'CompletionFinished',
  type: 'FINISHED',
  finishReason: toFinishReason(answer.finishReason),
  usage: toTokenUsage(answer.usage),
  providerState: answer.providerState ?? null,
});

/** @param bill what was billed until then; undefined when that is not known yet */
export function failed(error: unknown, bill: Bill | undefined, requestId: string): CompletionStreamEvent {
  const known = error instanceof AppError ? error : internalError(error);
  const { code, message, retryable, retryAfterMs } = known;
  return {
    __typename: 'CompletionFailed',
    type: 'FAILED',
    error: { code, message, retryable, retryAfterMs: retryAfterMs ?? null, requestId },
    usage: bill === undefined ? null : toTokenUsage(bill),
  };
}

/** A stored answer as the stream it once was, its deltas joined. */
export function* replay(answer: CompletionAnswer): Generator<CompletionStreamEvent, void, undefined> {
  const { id, requestId, model, provider, createdAt } = answer;
  yield { __typename: 'CompletionStarted', type: 'STARTED', id, requestId, model, provider, createdAt };
  if (answer.reasoning !== null) yield toDelta({ type: 'reasoning', text: answer.reasoning });
  if (answer.content !== null) yield toDelta({ type: 'text', text: answer.content });
  if (answer.refusal !== null) yield toDelta({ type: 'refusal', text: answer.refusal });
  for (const [index, call] of answer.toolCalls.entries()) yield toDelta({ type: 'tool_call', index, ...call });
  yield finished(answer);
}
