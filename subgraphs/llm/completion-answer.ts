import { AppError } from '#platform/errors.ts';
import type {
  FinishReason,
  ProviderCompletion,
  ProviderEvent,
  ProviderState,
  TokenUsage,
  ToolCall,
} from './providers/provider.ts';
import type { Bill, Delivered } from './usage-ledger-rows.ts';

/** A finished answer: what `complete` gives, what a key keeps for 24 hours, and what a stream is replayed from. */
export interface CompletionAnswer {
  readonly id: string;
  readonly requestId: string;
  readonly model: string;
  readonly provider: string;
  readonly content: string | null;
  readonly reasoning: string | null;
  readonly refusal: string | null;
  readonly toolCalls: readonly ToolCall[];
  readonly finishReason: FinishReason;
  readonly usage: Bill;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly providerState?: ProviderState | undefined;
}

/** Most characters of one answer, in all its parts. A million tokens are about 4 million characters. */
export const answerCharsMax = 8 * 1024 * 1024;

interface GrowingCall {
  id: string;
  name: string;
  arguments: string[];
}

/** Collects a stream's deltas: the answer as far as it has come, and what it will cost. */
export class AnswerBuilder {
  readonly #text: string[] = [];
  readonly #reasoning: string[] = [];
  readonly #refusal: string[] = [];
  readonly #calls = new Map<number, GrowingCall>();
  #chars = 0;
  #reasoningChars = 0;
  /** The provider's latest word on usage. */
  usage: TokenUsage | undefined;

  /** @throws AppError PROVIDER_BAD_RESPONSE for an answer longer than any model gives */
  add(event: Extract<ProviderEvent, { type: 'text' | 'reasoning' | 'refusal' | 'tool_call' }>): void {
    if (event.type === 'tool_call') {
      const call = this.#calls.get(event.index) ?? { id: '', name: '', arguments: [] };
      this.#calls.set(event.index, call);
      call.id ||= event.id ?? '';
      call.name ||= event.name ?? '';
      call.arguments.push(event.arguments);
      this.#chars += event.arguments.length + (event.name?.length ?? 0);
    } else {
      const pieces = event.type === 'text' ? this.#text : event.type === 'reasoning' ? this.#reasoning : this.#refusal;
      pieces.push(event.text);
      this.#chars += event.text.length;
      if (event.type === 'reasoning') this.#reasoningChars += event.text.length;
    }
    if (this.#chars > answerCharsMax) {
      throw new AppError('PROVIDER_BAD_RESPONSE', `The provider's answer is longer than ${answerCharsMax} characters.`);
    }
  }

  get isEmpty(): boolean {
    return this.#chars === 0 && this.#calls.size === 0;
  }

  get toolCalls(): readonly ToolCall[] {
    return [...this.#calls.entries()]
      .toSorted(([left], [right]) => left - right)
      .map(([, call]) => ({ id: call.id, name: call.name, arguments: call.arguments.join('') }));
  }

  content(): Pick<ProviderCompletion, 'content' | 'reasoning' | 'refusal' | 'toolCalls'> {
    const join = (pieces: readonly string[]) => (pieces.length === 0 ? null : pieces.join(''));
    return {
      content: join(this.#text),
      reasoning: join(this.#reasoning),
      refusal: join(this.#refusal),
      toolCalls: this.toolCalls,
    };
  }

  /**
   * What was delivered until now, without counting: the provider's figures, or four characters a token where they are
   * behind. For checkpoints, which must cost nothing.
   */
  delivered(timeToFirstTokenMs: number): Delivered {
    const { inputTokens = 0, cachedInputTokens = 0, outputTokens = 0, reasoningTokens = 0 } = this.usage ?? {};
    return {
      inputTokens,
      cachedInputTokens,
      outputTokens: Math.max(outputTokens, Math.ceil(this.#chars / 4)),
      reasoningTokens: Math.max(reasoningTokens, Math.ceil(this.#reasoningChars / 4)),
      timeToFirstTokenMs,
    };
  }
}
