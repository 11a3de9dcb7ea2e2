/**
 * What the LLM subgraph asks of a vendor. One file in this folder implements it for each vendor, and
 * `provider.contract.test.ts` holds all of them to what is written here.
 */
export const providerNames = ['openai', 'anthropic', 'deepseek', 'local', 'demo', 'bundled'] as const;
export type ProviderName = (typeof providerNames)[number];

export type TextPart = { readonly type: 'text'; readonly text: string };
export type ImagePart = {
  readonly type: 'image_url';
  /** `url` is https: or data:image/…;base64,…; already checked. */
  readonly image_url: { readonly url: string; readonly detail?: 'auto' | 'low' | 'high' | undefined };
};
export type ContentPart = TextPart | ImagePart;

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON as text, as the model wrote it; may be broken JSON. */
  readonly arguments: string;
}

export type ChatMessage =
  | { readonly role: 'system'; readonly content: string; readonly name?: string | undefined }
  | { readonly role: 'user'; readonly content: string | readonly ContentPart[]; readonly name?: string | undefined }
  | {
      readonly role: 'assistant';
      readonly content: string | null;
      readonly toolCalls?: readonly ToolCall[] | undefined;
      /** As an earlier `finish` event gave it; a provider ignores the state of another one. */
      readonly providerState?: ProviderState | undefined;
      readonly name?: string | undefined;
    }
  | { readonly role: 'tool'; readonly content: string; readonly toolCallId: string };

export interface ToolDefinition {
  readonly name: string;
  readonly description?: string | undefined;
  /** JSON Schema; an object without properties when left out. */
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
  readonly strict?: boolean | undefined;
}

export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string };

export type ResponseFormat =
  | { readonly type: 'text' }
  | { readonly type: 'json_object' }
  | {
      readonly type: 'json_schema';
      readonly name: string;
      readonly description?: string | undefined;
      readonly schema: Readonly<Record<string, unknown>>;
      readonly strict?: boolean | undefined;
    };

export type ReasoningEffort = 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh';

export interface ProviderRequest {
  /** The vendor's own name of the model. */
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly tools?: readonly ToolDefinition[] | undefined;
  readonly toolChoice?: ToolChoice | undefined;
  readonly parallelToolCalls?: boolean | undefined;
  readonly responseFormat?: ResponseFormat | undefined;
  readonly reasoning?:
    | { readonly effort?: ReasoningEffort | undefined; readonly maxTokens?: number | undefined }
    | undefined;
  readonly stop?: readonly string[] | undefined;
  readonly temperature?: number | undefined;
  readonly topP?: number | undefined;
  readonly seed?: number | undefined;
  readonly maxTokens?: number | undefined;
  /** Merged into the vendor's request body last, key by key. */
  readonly providerOptions?: Readonly<Record<string, unknown>> | undefined;
}

/** What only the vendor understands and wants back, such as signed thinking blocks. */
export interface ProviderState {
  readonly provider: ProviderName;
  readonly value: unknown;
}

/** As the vendor counted, brought to one meaning: cached ⊆ input, reasoning ⊆ output. */
export interface TokenUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens: number;
  readonly reasoningTokens: number;
}

export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter';

export type ProviderEvent =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  | { readonly type: 'refusal'; readonly text: string }
  /** `id` and `name` with the first piece of a call; `index` counts this answer's calls from 0. */
  | {
      readonly type: 'tool_call';
      readonly index: number;
      readonly id?: string | undefined;
      readonly name?: string | undefined;
      readonly arguments: string;
    }
  /** Totals so far; a later one replaces an earlier one. */
  | { readonly type: 'usage'; readonly usage: TokenUsage }
  /** The last event of a whole answer, and of none else. */
  | {
      readonly type: 'finish';
      readonly reason: FinishReason;
      readonly model?: string | undefined;
      readonly providerState?: ProviderState | undefined;
    };

export interface ProviderCompletion {
  /** The model as the vendor names it in its answer. */
  readonly model: string;
  readonly content: string | null;
  readonly reasoning: string | null;
  readonly refusal: string | null;
  readonly toolCalls: readonly ToolCall[];
  readonly finishReason: FinishReason;
  /** Null when the vendor told none. */
  readonly usage: TokenUsage | null;
  readonly providerState?: ProviderState | undefined;
}

export interface EmbedRequest {
  readonly model: string;
  /** Never empty, no empty text. */
  readonly texts: readonly string[];
  readonly dimensions?: number | undefined;
}

export interface ProviderEmbeddings {
  readonly model: string;
  /** One for each text, in order, all of one length, all finite. */
  readonly vectors: readonly Float32Array[];
  readonly inputTokens: number | null;
}

/**
 * A vendor. All failures are AppErrors with a PROVIDER_*, UNSUPPORTED_BY_MODEL, CONTEXT_LENGTH_EXCEEDED,
 * CONTENT_FILTERED or STREAM_INTERRUPTED code; their messages name the vendor and, where a key is refused, the
 * setting, never the key. Aborting the signal ends the upstream request within 100 ms and rejects with the
 * signal's reason. Nothing is retried in here, and nothing of a request is silently dropped.
 */
export interface Provider {
  readonly name: ProviderName;

  complete(request: ProviderRequest, signal: AbortSignal): Promise<ProviderCompletion>;

  /**
   * Deltas as they come, then `finish`. An answer that ends without the vendor's final marker is
   * STREAM_INTERRUPTED, thrown from the iteration after all that was delivered.
   */
  stream(request: ProviderRequest, signal: AbortSignal): AsyncIterable<ProviderEvent>;

  /** Absent when the vendor has no embeddings. */
  embed?(request: EmbedRequest, signal: AbortSignal): Promise<ProviderEmbeddings>;

  /** Names of the vendor's models, for vendors whose models are not in the catalogue (local). */
  listModels?(signal: AbortSignal): Promise<readonly string[]>;

  close(): Promise<void>;
}
