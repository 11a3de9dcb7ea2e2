/** The operation's result as `routes-openai.ts` selects it. */
export interface GraphqlCompletion {
  readonly id: string;
  readonly requestId: string;
  readonly model: string;
  readonly provider: string;
  readonly message: {
    readonly content: string | null;
    readonly reasoning: string | null;
    readonly refusal: string | null;
    readonly toolCalls:
      | readonly { readonly id: string; readonly function: { readonly name: string; readonly arguments: string } }[]
      | null;
    readonly providerState: unknown;
  };
  readonly finishReason: string;
  readonly usage: GraphqlUsage;
  readonly createdAt: string;
}

export interface GraphqlUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens: number;
  readonly reasoningTokens: number;
  readonly costUsd: number | null;
  readonly estimated: boolean;
}

/** What OpenAI's format has no place for; clients ignore it. */
export interface SupergraphExtension {
  readonly provider: string;
  readonly request_id: string;
  readonly cost_usd: number | null;
  /** True when the provider reported no usage and tokens were counted here. */
  readonly usage_estimated: boolean;
}

/** https://platform.openai.com/docs/api-reference/chat/object */
export function toChatCompletion(completion: GraphqlCompletion): unknown {
  const { id, model, message, usage } = completion;
  return {
    id,
    object: 'chat.completion',
    created: unixSeconds(completion.createdAt),
    model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: message.content,
          refusal: message.refusal,
          // DeepSeek's name for it, which most clients know.
          ...(message.reasoning === null ? {} : { reasoning_content: message.reasoning }),
          ...(message.toolCalls === null || message.toolCalls.length === 0
            ? {}
            : {
                tool_calls: message.toolCalls.map((call) => ({
                  id: call.id,
                  type: 'function',
                  function: call.function,
                })),
              }),
          // A client that sends the message back sends this along, as reasoning models with tools need.
          ...(message.providerState === null ? {} : { provider_state: message.providerState }),
        },
        logprobs: null,
        finish_reason: completion.finishReason.toLowerCase(),
      },
    ],
    usage: toOpenAiUsage(usage),
    x_supergraph: extension(completion.provider, completion.requestId, usage),
  };
}

export function toOpenAiUsage(usage: GraphqlUsage): unknown {
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedInputTokens },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  };
}

export const extension = (provider: string, requestId: string, usage: GraphqlUsage): SupergraphExtension => ({
  provider,
  request_id: requestId,
  cost_usd: usage.costUsd,
  usage_estimated: usage.estimated,
});

export const unixSeconds = (time: string): number => Math.floor(Date.parse(time) / 1000);
