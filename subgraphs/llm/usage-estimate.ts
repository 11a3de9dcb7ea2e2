import type { ProviderCompletion, ProviderRequest, TokenUsage } from './providers/provider.ts';
import { countTokens, estimateMessagesTokens } from './token-count.ts';

/** Tokens of a request whose provider told none. */
export const countInputTokens = (request: ProviderRequest): number =>
  estimateMessagesTokens(request.messages, request.tools);

/** Tokens of an answer, or of as much of it as was delivered. */
export function countOutputTokens(
  answer: Pick<ProviderCompletion, 'content' | 'reasoning' | 'refusal' | 'toolCalls'>,
): Pick<TokenUsage, 'outputTokens' | 'reasoningTokens'> {
  const reasoningTokens = countTokens(answer.reasoning ?? '');
  const calls = answer.toolCalls.reduce((sum, call) => sum + countTokens(call.name) + countTokens(call.arguments), 0);
  const text = countTokens(answer.content ?? '') + countTokens(answer.refusal ?? '');
  return { outputTokens: text + reasoningTokens + calls, reasoningTokens };
}
