import type { ContentBlockParamBody, MessageParamBody, MessageRequestBody } from './anthropic-client.ts';
import { refuseUnsupported, type Vendor } from './provider-errors.ts';
import type {
  ChatMessage,
  ContentPart,
  ProviderRequest,
  ProviderState,
  ReasoningEffort,
  ToolCall,
} from './provider.ts';

export const anthropicVendor: Vendor = {
  name: 'anthropic',
  title: 'Anthropic',
  keySetting: 'ANTHROPIC_API_KEY',
  urlSetting: 'ANTHROPIC_BASE_URL',
};
const refuse = (path: string, what: string): never => refuseUnsupported(anthropicVendor, path, what);

/**
 * What an assistant's message must come back with. `thinking` goes before its text and tool calls; `content` is all of
 * it, where thoughts stand between other blocks or a server's own tools ran, and replaces them.
 */
export interface AnthropicState {
  readonly thinking?: readonly object[];
  readonly content?: readonly object[];
}

/** Anthropic demands a limit; this one is for models whose own the catalogue does not know. */
const maxTokensDefault = 8192;

/**
 * Anthropic's request body for a request of ours. System messages at the start become `system`; a later one stays in
 * its place as a text of the user's turn that says it is the system's, because most models take none there. Names go
 * before the text, as in `Anna: Hello`. Neighbours of the same role become one turn, tool results one user turn.
 *
 * @param outputTokensMax what the model can write at most, for requests that set no limit
 * @throws AppError UNSUPPORTED_BY_MODEL for what Anthropic has no word for
 */
export function messageRequestBody(
  request: ProviderRequest,
  stream: boolean,
  outputTokensMax: number | undefined,
): MessageRequestBody {
  if (request.seed !== undefined) refuse('seed', 'has no seed; leave it out');
  if (request.temperature !== undefined && request.temperature > 1)
    refuse('temperature', 'takes temperatures from 0 to 1');
  const maxTokens = request.maxTokens ?? outputTokensMax ?? maxTokensDefault;
  const firstTurn = request.messages.findIndex((message) => message.role !== 'system');
  const systemCount = firstTurn < 0 ? request.messages.length : firstTurn;
  const system = request.messages
    .slice(0, systemCount)
    .map((message) => ({ type: 'text', text: named(message, String(message.content)) }));
  const body: Record<string, unknown> = {
    model: request.model,
    max_tokens: maxTokens,
    messages: turnsOf(request.messages, systemCount),
  };
  const set = (key: string, value: unknown): void => {
    if (value !== undefined) body[key] = value;
  };
  if (system.length > 0) set('system', system);
  if (request.tools !== undefined && request.tools.length > 0) {
    set(
      'tools',
      request.tools.map((tool) => ({
        name: tool.name,
        ...(tool.description === undefined ? {} : { description: tool.description }),
        input_schema: { type: 'object', ...tool.parameters },
        ...(tool.strict === undefined ? {} : { strict: tool.strict }),
      })),
    );
    set('tool_choice', toolChoiceBody(request));
  }
  setOutput(request, maxTokens, set);
  if (request.stop !== undefined && request.stop.length > 0) set('stop_sequences', request.stop);
  set('temperature', request.temperature);
  set('top_p', request.topP);
  if (stream) set('stream', true);
  for (const [key, value] of Object.entries(request.providerOptions ?? {})) {
    const reserved = reservedOptions[key];
    if (reserved !== undefined)
      refuseUnsupported({ title: 'providerOptions' }, `providerOptions.${key}`, `cannot set this; ${reserved}`);
    // OpenAI's name for whom a request is made; its clients send it whatever the model.
    if (key === 'user') set('metadata', { user_id: value });
    else set(key, value);
  }
  return body as unknown as MessageRequestBody;
}

const reservedOptions: Readonly<Record<string, string>> = {
  model: 'name the model in `model`',
  messages: 'put messages into `messages`',
  stream: 'the operation decides whether the answer streams',
};

// --- tools and output -------------------------------------------------------------------------------------------

function toolChoiceBody(request: ProviderRequest): object | undefined {
  const { toolChoice } = request;
  const serial = request.parallelToolCalls === false ? { disable_parallel_tool_use: true } : {};
  if (toolChoice === 'none') return { type: 'none' };
  if (typeof toolChoice === 'object') return { type: 'tool', name: toolChoice.name, ...serial };
  if (toolChoice === 'required') return { type: 'any', ...serial };
  return toolChoice === 'auto' || request.parallelToolCalls === false ? { type: 'auto', ...serial } : undefined;
}

/** Models that think by a number of tokens; later ones decide for themselves, by an effort. */
const thinksByBudget = (model: string): boolean =>
  /^claude-(?:3|(?:opus|sonnet|haiku)-4(?:-[015]\b|-20\d{6}|$))/.test(model);
const budgets: Readonly<Record<string, number>> = { low: 2_048, medium: 8_192, high: 16_384, xhigh: 32_768 };
/** Anthropic's least. */
const budgetMin = 1024;

function setOutput(request: ProviderRequest, maxTokens: number, set: (key: string, value: unknown) => void): void {
  const config: Record<string, unknown> = {};
  const format = request.responseFormat;
  if (format?.type === 'json_object') refuse('responseFormat', 'has no json_object mode; use json_schema');
  if (format?.type === 'json_schema') config['format'] = { type: 'json_schema', schema: format.schema };
  const thinking = thinkingBody(request.model, request.reasoning, maxTokens);
  if (thinking?.effort !== undefined) config['effort'] = thinking.effort;
  set('thinking', thinking?.thinking);
  if (Object.keys(config).length > 0) set('output_config', config);
}

function thinkingBody(
  model: string,
  reasoning: ProviderRequest['reasoning'],
  maxTokens: number,
): { thinking: object; effort?: ReasoningEffort } | undefined {
  const effort = reasoning?.effort;
  if (effort === 'minimal') refuse('reasoning.effort', 'has no effort "minimal"; use "none" or "low"');
  const budget =
    reasoning?.maxTokens ??
    (effort !== undefined && effort !== 'none' && thinksByBudget(model) ? budgets[effort] : undefined);
  if (effort === 'none') return { thinking: { type: 'disabled' } };
  if (budget !== undefined) {
    if (reasoning?.maxTokens !== undefined && budget < budgetMin)
      refuse('reasoning.maxTokens', `thinks with at least ${budgetMin} tokens`);
    if (maxTokens <= budgetMin)
      refuse('maxTokens', `counts thoughts into the limit, which must be more than ${budgetMin} to think`);
    return { thinking: { type: 'enabled', budget_tokens: Math.min(budget, maxTokens - 1) } };
  }
  return effort === undefined ? undefined : { thinking: { type: 'adaptive' }, effort };
}

// --- messages ---------------------------------------------------------------------------------------------------

const named = (message: ChatMessage, text: string): string =>
  'name' in message && message.name !== undefined ? `${message.name}: ${text}` : text;

function turnsOf(messages: readonly ChatMessage[], from: number): MessageParamBody[] {
  const turns: { role: 'user' | 'assistant'; content: ContentBlockParamBody[] }[] = [];
  for (const [index, message] of messages.entries()) {
    if (index < from) continue;
    const role = message.role === 'assistant' ? 'assistant' : 'user';
    const blocks = blocksOf(message, index);
    const last = turns.at(-1);
    if (last?.role === role) last.content.push(...blocks);
    else if (blocks.length > 0) turns.push({ role, content: blocks });
  }
  return turns;
}

function blocksOf(message: ChatMessage, index: number): ContentBlockParamBody[] {
  switch (message.role) {
    case 'system':
      return [{ type: 'text', text: `[System message]\n${named(message, message.content)}` }];
    case 'user': {
      if (typeof message.content === 'string') return [{ type: 'text', text: named(message, message.content) }];
      const prefix = message.name === undefined ? [] : [{ type: 'text' as const, text: `${message.name}:` }];
      return [...prefix, ...message.content.map((part) => partBlock(part, `messages[${index}].content`))];
    }
    case 'assistant':
      return assistantBlocks(message);
    case 'tool':
      return [{ type: 'tool_result', tool_use_id: message.toolCallId, content: message.content }];
  }
}

const imageTypes = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'] as const;

function partBlock(part: ContentPart, path: string): ContentBlockParamBody {
  if (part.type === 'text') return { type: 'text', text: part.text };
  const { url, detail } = part.image_url;
  if (detail === 'low' || detail === 'high') refuse(path, 'has no image detail; leave it out or set it to "auto"');
  if (!url.startsWith('data:')) return { type: 'image', source: { type: 'url', url } };
  const comma = url.indexOf(',');
  const written = url
    .slice('data:'.length, comma)
    .replace(/;base64$/, '')
    .toLowerCase();
  const mediaType = imageTypes.find((type) => type === (written === 'image/jpg' ? 'image/jpeg' : written));
  if (comma < 0 || mediaType === undefined)
    return refuse(path, `sees images of the types ${imageTypes.join(', ')} only`);
  return { type: 'image', source: { type: 'base64', media_type: mediaType, data: url.slice(comma + 1) } };
}

function assistantBlocks(message: Extract<ChatMessage, { role: 'assistant' }>): ContentBlockParamBody[] {
  const state = stateOf(message.providerState);
  if (state?.content !== undefined) return [...state.content] as ContentBlockParamBody[];
  const text = message.content ?? '';
  return [
    ...((state?.thinking ?? []) as ContentBlockParamBody[]),
    ...(text === '' ? [] : [{ type: 'text' as const, text: named(message, text) }]),
    ...(message.toolCalls ?? []).map((call) => ({
      type: 'tool_use' as const,
      id: call.id,
      name: call.name,
      input: inputOf(call),
    })),
  ];
}

/** Clients send it back as JSON, so its shape is checked as far as it is used here; the vendor checks the rest. */
function stateOf(state: ProviderState | undefined): AnthropicState | undefined {
  if (state?.provider !== 'anthropic' || typeof state.value !== 'object' || state.value === null) return undefined;
  const { thinking, content } = state.value as Record<string, unknown>;
  const blocks = (value: unknown): value is object[] =>
    Array.isArray(value) && value.every((block) => typeof block === 'object' && block !== null);
  return { ...(blocks(thinking) ? { thinking } : {}), ...(blocks(content) ? { content } : {}) };
}

/** Anthropic takes an object only; what the model wrote as broken JSON is wrapped the way its guide says. */
function inputOf(call: ToolCall): unknown {
  if (call.arguments.trim() === '') return {};
  try {
    const parsed: unknown = JSON.parse(call.arguments);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed;
  } catch {
    // Wrapped below.
  }
  return { INVALID_JSON: call.arguments };
}
