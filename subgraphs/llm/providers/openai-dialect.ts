import type { ChatMessageBody, ChatRequestBody } from './openai-client.ts';
import { refuseUnsupported, type Vendor } from './provider-errors.ts';
import type { ChatMessage, ProviderRequest, ReasoningEffort, ResponseFormat, ToolChoice } from './provider.ts';

/**
 * How one vendor's chat completions differ from OpenAI's own. What a vendor cannot do is refused before anything is
 * sent, by the field's name; what we don't know about a model is left to the vendor.
 */
export interface OpenAiDialect extends Vendor {
  readonly maxTokensField: (model: string) => 'max_tokens' | 'max_completion_tokens';
  readonly systemRole: (model: string) => 'system' | 'developer';
  /** The request's fields for a reasoning effort. */
  readonly reasoning: (effort: ReasoningEffort, model: string) => Readonly<Record<string, unknown>>;
  /** What it lacks, each with the words of the refusal. */
  readonly lacks: {
    readonly seed?: string;
    readonly images?: string;
    readonly jsonSchema?: string;
    readonly serialToolCalls?: string;
    readonly reasoningTokens: string;
  };
  /** Sends `reasoning_content` of earlier tool-calling answers back, as DeepSeek's thinking models want it. */
  readonly returnsReasoning: boolean;
  /** A finish reason is enough: not all local servers send `[DONE]` after it. */
  readonly endsWithoutMarker: boolean;
  /** base64 is a third of the bytes; not all local servers know it. */
  readonly embeddingEncoding: 'base64' | 'float';
  /** Absent when it has no embeddings. */
  readonly embeddings: boolean;
}

/** Keys of `providerOptions` that would make the answer something else than was asked for and billed. */
const reservedOptions: Readonly<Record<string, string>> = {
  model: 'name the model in `model`',
  messages: 'put messages into `messages`',
  stream: 'the operation decides whether the answer streams',
};

/** OpenAI's request body for a request of ours. */
export function chatRequestBody(dialect: OpenAiDialect, request: ProviderRequest, stream: boolean): ChatRequestBody {
  const { lacks } = dialect;
  if (request.seed !== undefined && lacks.seed !== undefined) refuseUnsupported(dialect, 'seed', lacks.seed);
  if (request.reasoning?.maxTokens !== undefined)
    refuseUnsupported(dialect, 'reasoning.maxTokens', lacks.reasoningTokens);
  if (request.parallelToolCalls === false && lacks.serialToolCalls !== undefined)
    refuseUnsupported(dialect, 'parallelToolCalls', lacks.serialToolCalls);
  const body: Record<string, unknown> = {
    model: request.model,
    messages: request.messages.map((message, index) => messageBody(dialect, request.model, message, index)),
  };
  const set = (key: string, value: unknown): void => {
    if (value !== undefined) body[key] = value;
  };
  if (request.tools !== undefined && request.tools.length > 0) {
    set(
      'tools',
      request.tools.map((tool) => ({ type: 'function', function: withoutUndefined({ ...tool }) })),
    );
    set('tool_choice', toolChoiceBody(request.toolChoice));
    // "Yes" is every vendor's default, so only "no" must be understood.
    if (lacks.serialToolCalls === undefined) set('parallel_tool_calls', request.parallelToolCalls);
  }
  set('response_format', responseFormatBody(dialect, request.responseFormat));
  if (request.reasoning?.effort !== undefined)
    Object.assign(body, dialect.reasoning(request.reasoning.effort, request.model));
  if (request.stop !== undefined && request.stop.length > 0) set('stop', request.stop);
  set('temperature', request.temperature);
  set('top_p', request.topP);
  set('seed', request.seed);
  set(dialect.maxTokensField(request.model), request.maxTokens);
  if (stream) {
    body['stream'] = true;
    body['stream_options'] = { include_usage: true };
  }
  mergeOptions(dialect, body, request.providerOptions);
  return body as unknown as ChatRequestBody;
}

function mergeOptions(
  dialect: OpenAiDialect,
  body: Record<string, unknown>,
  options: ProviderRequest['providerOptions'],
): void {
  for (const [key, value] of Object.entries(options ?? {})) {
    const reserved = reservedOptions[key];
    if (reserved !== undefined)
      refuseUnsupported({ title: 'providerOptions' }, `providerOptions.${key}`, `cannot set this; ${reserved}`);
    if (key === 'n' && value !== 1)
      refuseUnsupported(
        dialect,
        'providerOptions.n',
        'is asked for one answer at a time; send the request again for another',
      );
    // Without the usage chunk there would be no bill.
    if (key === 'stream_options')
      body[key] = { ...(body[key] as object | undefined), ...(value as object), include_usage: true };
    else body[key] = value;
  }
  if (body['stream'] !== true) delete body['stream_options'];
}

function messageBody(dialect: OpenAiDialect, model: string, message: ChatMessage, index: number): ChatMessageBody {
  const name = 'name' in message && message.name !== undefined ? { name: message.name } : {};
  switch (message.role) {
    case 'system':
      return { role: dialect.systemRole(model), content: message.content, ...name };
    case 'user': {
      const image = typeof message.content !== 'string' && message.content.some((part) => part.type === 'image_url');
      if (image && dialect.lacks.images !== undefined)
        refuseUnsupported(dialect, `messages[${index}].content`, dialect.lacks.images);
      return { role: 'user', content: message.content as string, ...name };
    }
    case 'assistant': {
      const calls = message.toolCalls ?? [];
      const state = message.providerState?.provider === dialect.name ? message.providerState.value : undefined;
      const reasoning = dialect.returnsReasoning
        ? (state as { reasoningContent?: unknown } | undefined)?.reasoningContent
        : undefined;
      return {
        role: 'assistant',
        content: message.content,
        ...name,
        ...(calls.length === 0
          ? {}
          : {
              tool_calls: calls.map((call) => ({
                id: call.id,
                type: 'function' as const,
                function: { name: call.name, arguments: call.arguments },
              })),
            }),
        ...(typeof reasoning === 'string' ? { reasoning_content: reasoning } : {}),
      };
    }
    case 'tool':
      return { role: 'tool', tool_call_id: message.toolCallId, content: message.content };
  }
}

function toolChoiceBody(choice: ToolChoice | undefined): unknown {
  return typeof choice === 'object' ? { type: 'function', function: { name: choice.name } } : choice;
}

function responseFormatBody(dialect: OpenAiDialect, format: ResponseFormat | undefined): unknown {
  if (format === undefined || format.type === 'text') return undefined;
  if (format.type === 'json_object') return { type: 'json_object' };
  if (dialect.lacks.jsonSchema !== undefined) refuseUnsupported(dialect, 'responseFormat', dialect.lacks.jsonSchema);
  const { type: _, ...schema } = format;
  return { type: 'json_schema', json_schema: withoutUndefined(schema) };
}

const withoutUndefined = (object: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
