import type { ProviderCompletion, ProviderRequest, TokenUsage } from './providers/provider.ts';
import { countInputChars } from './completion-input.ts';

/** Tokens of a request whose provider told none. */
export const countInputTokens = (request: ProviderRequest): number => Math.ceil(countInputChars(request) / 4);

/** Tokens of an answer, or of as much of it as was delivered. */
export function countOutputTokens(
  answer: Pick<ProviderCompletion, 'content' | 'reasoning' | 'refusal' | 'toolCalls'>,
): Pick<TokenUsage, 'outputTokens' | 'reasoningTokens'> {
  const tokens = (text: string | null) => Math.ceil((text?.length ?? 0) / 4);
  const calls = answer.toolCalls.reduce((sum, call) => sum + tokens(call.name + call.arguments), 0);
  const reasoningTokens = tokens(answer.reasoning);
  return { outputTokens: tokens(answer.content) + tokens(answer.refusal) + reasoningTokens + calls, reasoningTokens };
}
