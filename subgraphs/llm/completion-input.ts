import { imageUrlProblem } from './completion-images.ts';
import { checkIdempotencyKey, checkModelName, InputProblems, isObject } from './input-problems.ts';
import {
  providerNames,
  type ChatMessage,
  type ContentPart,
  type ProviderRequest,
  type ProviderState,
  type ReasoningEffort,
} from './providers/provider.ts';
import type { CompleteInput, MessageInput } from './resolver-types.ts';
import { readResponseFormat, readToolChoice, readTools, toolNamePattern } from './completion-tools-input.ts';

const messagesMax = 4_096;
/** What the schema has names for, or what would change the price or the protocol behind the ledger's back. */
const reservedOptions = new Set(['model', 'messages', 'system', 'stream', 'stream_options']);

/** A request as all providers get it, but for the model's own name. */
export type CompletionRequest = Omit<ProviderRequest, 'model'>;

/**
 * Checks all of an input and translates it.
 *
 * @throws AppError INVALID_INPUT that lists every problem, with paths as in the input (`messages[0].content`)
 */
export function readCompleteInput(input: CompleteInput): CompletionRequest {
  const problems = new InputProblems();
  checkModelName(problems, 'model', input.model);
  if (input.idempotencyKey != null) checkIdempotencyKey(problems, 'idempotencyKey', input.idempotencyKey);
  const messages = readMessages(problems, input.messages);
  const tools = input.tools == null ? undefined : readTools(problems, input.tools);
  const request: CompletionRequest = {
    messages,
    tools: tools?.length === 0 ? undefined : tools,
    toolChoice: readToolChoice(problems, input.toolChoice, tools ?? []),
    parallelToolCalls: input.parallelToolCalls ?? undefined,
    responseFormat: input.responseFormat == null ? undefined : readResponseFormat(problems, input.responseFormat),
    reasoning: readReasoning(problems, input.reasoning),
    stop: readStop(problems, input.stop),
    temperature: readNumber(problems, 'temperature', input.temperature, 0, 2),
    topP: readNumber(problems, 'topP', input.topP, 0, 1),
    seed: input.seed ?? undefined,
    maxTokens: readNumber(problems, 'maxTokens', input.maxTokens, 1, 10_000_000),
    providerOptions: readProviderOptions(problems, input.providerOptions),
  };
  problems.throwIfAny();
  return request;
}

/** Characters of all text of a request; what an estimate of its tokens starts from when nobody counts. */
export function countInputChars(request: CompletionRequest): number {
  let chars = 0;
  for (const message of request.messages) {
    if (typeof message.content === 'string') chars += message.content.length;
    else for (const part of message.content ?? []) chars += part.type === 'text' ? part.text.length : 0;
    if (message.role === 'assistant')
      for (const call of message.toolCalls ?? []) chars += call.name.length + call.arguments.length;
  }
  for (const tool of request.tools ?? [])
    chars += tool.name.length + (tool.description?.length ?? 0) + JSON.stringify(tool.parameters ?? {}).length;
  return Math.min(chars, 2_147_483_647);
}

function readMessages(problems: InputProblems, inputs: readonly MessageInput[]): ChatMessage[] {
  if (inputs.length === 0) problems.add('messages', 'must hold at least one message');
  if (inputs.length > messagesMax) problems.add('messages', `must hold at most ${messagesMax} messages`);
  return inputs.slice(0, messagesMax).map((input, index) => readMessage(problems, `messages[${index}]`, input));
}

function readMessage(problems: InputProblems, path: string, input: MessageInput): ChatMessage {
  if (input.toolCallId != null && input.role !== 'TOOL')
    problems.add(`${path}.toolCallId`, 'belongs to messages with the role tool');
  if (input.role !== 'ASSISTANT') {
    if (input.toolCalls != null && input.toolCalls.length > 0)
      problems.add(`${path}.toolCalls`, 'belongs to messages with the role assistant');
    if (input.providerState != null)
      problems.add(`${path}.providerState`, 'belongs to messages with the role assistant');
  }
  if (input.name != null && !/^[^\s<|\\/>\p{Cc}\p{Cs}]{1,64}$/u.test(input.name)) {
    problems.add(`${path}.name`, 'must be 1 to 64 characters without blanks and without <, |, \\, /, >');
  }
  const name = input.name ?? undefined;
  switch (input.role) {
    case 'SYSTEM':
      return { role: 'system', content: readText(problems, `${path}.content`, input.content, true), name };
    case 'USER':
      return { role: 'user', content: readContent(problems, `${path}.content`, input.content), name };
    case 'TOOL': {
      if (input.toolCallId == null || input.toolCallId === '')
        problems.add(`${path}.toolCallId`, 'is required for the role tool: the id of the call it answers');
      else problems.text(`${path}.toolCallId`, input.toolCallId);
      return {
        role: 'tool',
        content: readText(problems, `${path}.content`, input.content, false),
        toolCallId: input.toolCallId ?? '',
      };
    }
    case 'ASSISTANT': {
      const toolCalls = readToolCalls(problems, path, input);
      const hasCalls = toolCalls !== undefined && toolCalls.length > 0;
      const content =
        input.content == null && hasCalls ? null : readText(problems, `${path}.content`, input.content, !hasCalls);
      return {
        role: 'assistant',
        content,
        toolCalls: hasCalls ? toolCalls : undefined,
        providerState: readState(problems, path, input.providerState),
        name,
      };
    }
  }
}

function readToolCalls(problems: InputProblems, path: string, input: MessageInput) {
  return input.toolCalls?.map((call, index) => {
    const at = `${path}.toolCalls[${index}]`;
    if (call.id === '' || call.id.length > 256) problems.add(`${at}.id`, 'must be 1 to 256 characters');
    problems.text(`${at}.id`, call.id);
    if (!toolNamePattern.test(call.function.name))
      problems.add(`${at}.function.name`, 'must be 1 to 64 letters, digits, _ or -');
    problems.text(`${at}.function.arguments`, call.function.arguments);
    return { id: call.id, name: call.function.name, arguments: call.function.arguments };
  });
}

function readState(problems: InputProblems, path: string, state: unknown): ProviderState | undefined {
  if (state == null) return undefined;
  const provider = isObject(state) ? state['provider'] : undefined;
  if (!isObject(state) || !(providerNames as readonly unknown[]).includes(provider) || !('value' in state)) {
    problems.add(`${path}.providerState`, 'must be what an earlier answer gave as providerState, unchanged');
    return undefined;
  }
  problems.json(`${path}.providerState`, state['value']);
  return { provider: provider as ProviderState['provider'], value: state['value'] };
}

/** A string, or text parts joined: what roles other than user may say. */
function readText(problems: InputProblems, path: string, content: unknown, required: boolean): string {
  const parts = readContent(problems, path, content, required);
  if (typeof parts === 'string') return parts;
  if (parts.some(({ type }) => type !== 'text'))
    problems.add(path, 'may hold text only; images belong to messages with the role user');
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

function readContent(problems: InputProblems, path: string, content: unknown, required = true): string | ContentPart[] {
  if (typeof content === 'string') {
    if (required && content.trim() === '') problems.add(path, 'must not be empty');
    problems.text(path, content);
    return content;
  }
  if (content == null) {
    problems.add(path, 'is required');
    return '';
  }
  if (!Array.isArray(content)) {
    problems.add(
      path,
      'must be a string or a list of parts {type: "text", text} and {type: "image_url", image_url: {url}}',
    );
    return '';
  }
  if (required && content.length === 0) problems.add(path, 'must not be empty');
  const parts = content
    .map((part, index) => readPart(problems, `${path}[${index}]`, part))
    .filter((part) => part !== undefined);
  const isBlank =
    parts.length === content.length && parts.every((part) => part.type === 'text' && part.text.trim() === '');
  if (required && content.length > 0 && isBlank) problems.add(path, 'must not be empty');
  return parts;
}

function readPart(problems: InputProblems, path: string, part: unknown): ContentPart | undefined {
  const type = isObject(part) ? part['type'] : undefined;
  if (isObject(part) && type === 'text') {
    const text = part['text'];
    if (typeof text !== 'string') return void problems.add(`${path}.text`, 'must be a string');
    problems.text(`${path}.text`, text);
    return { type: 'text', text };
  }
  if (isObject(part) && type === 'image_url') {
    // OpenAI's shape; a bare URL is what some of its clients send.
    const image = typeof part['image_url'] === 'string' ? { url: part['image_url'] } : part['image_url'];
    const url = isObject(image) ? image['url'] : undefined;
    const detail = isObject(image) ? (image['detail'] ?? undefined) : undefined;
    if (typeof url !== 'string') return void problems.add(`${path}.image_url.url`, 'must be an https or data URL');
    const problem = imageUrlProblem(url);
    if (problem !== undefined) problems.add(`${path}.image_url.url`, problem);
    if (detail !== undefined && detail !== 'auto' && detail !== 'low' && detail !== 'high') {
      return void problems.add(`${path}.image_url.detail`, 'must be auto, low or high');
    }
    return { type: 'image_url', image_url: { url, detail } };
  }
  return void problems.add(`${path}.type`, 'must be "text" or "image_url"');
}

function readReasoning(problems: InputProblems, reasoning: CompleteInput['reasoning']): CompletionRequest['reasoning'] {
  if (reasoning == null) return undefined;
  const maxTokens = readNumber(problems, 'reasoning.maxTokens', reasoning.maxTokens, 1, 10_000_000);
  const effort = reasoning.effort == null ? undefined : (reasoning.effort.toLowerCase() as ReasoningEffort);
  return effort === undefined && maxTokens === undefined ? undefined : { effort, maxTokens };
}

function readStop(problems: InputProblems, stop: readonly string[] | null | undefined): readonly string[] | undefined {
  if (stop == null || stop.length === 0) return undefined;
  if (stop.length > 16) problems.add('stop', 'must hold at most 16 sequences');
  stop.slice(0, 16).forEach((sequence, index) => {
    if (sequence === '' || sequence.length > 1_000) problems.add(`stop[${index}]`, 'must be 1 to 1000 characters');
    problems.text(`stop[${index}]`, sequence);
  });
  return stop;
}

function readNumber(
  problems: InputProblems,
  path: string,
  value: number | null | undefined,
  min: number,
  max: number,
): number | undefined {
  if (value == null) return undefined;
  if (!(value >= min && value <= max)) problems.add(path, `must be between ${min} and ${max}`);
  return value;
}

function readProviderOptions(problems: InputProblems, options: unknown): Readonly<Record<string, unknown>> | undefined {
  if (options == null) return undefined;
  if (!isObject(options)) return void problems.add('providerOptions', 'must be an object');
  for (const key of Object.keys(options)) {
    if (reservedOptions.has(key))
      problems.add(`providerOptions.${key}`, 'may not be set here: the request has its own field for it');
  }
  if ('n' in options && options['n'] !== 1) problems.add('providerOptions.n', 'must be 1: an answer has one choice');
  problems.json('providerOptions', options);
  return options;
}
