import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '#platform/errors.ts';
import { relevantSentences, sentencesOf, splitQuestion } from './demo-context.ts';
import { instanceOf } from './demo-schema.ts';
import type {
  ChatMessage,
  FinishReason,
  Provider,
  ProviderCompletion,
  ProviderEvent,
  ProviderRequest,
  TokenUsage,
  ToolCall,
  ToolDefinition,
} from './provider.ts';

export interface DemoProviderOptions {
  /** Wait between the words of a stream, so that it can be seen streaming, in milliseconds. Default 15; 0 sends them at once. */
  readonly wordDelayMs?: number;
}

/** What the demo model can write at most, as in the catalogue. */
const outputTokensMax = 4096;
const charactersPerToken = 4;
/** How much of a message is searched for tools' names and arguments. */
const toolTextLengthMax = 100_000;
const tokensOf = (text: string): number => Math.ceil(text.length / charactersPerToken);

interface Answer {
  readonly text: string | null;
  readonly reasoning: string | null;
  readonly toolCalls: readonly ToolCall[];
  readonly finishReason: FinishReason;
  readonly usage: TokenUsage;
}

/**
 * A model that needs no network and no key, for a first look and for tests: the same request gets the same answer.
 * It says that it is the demo model, answers questions from the messages it is given, calls a tool that is named in
 * the last user message or by the tool choice, reads tool results, and fills JSON schemas. Sampling parameters and
 * provider options are taken and change nothing, as it samples nothing.
 */
export class DemoProvider implements Provider {
  readonly name = 'demo';
  readonly #wordDelayMs: number;

  constructor(options: DemoProviderOptions = {}) {
    this.#wordDelayMs = options.wordDelayMs ?? 15;
  }

  async complete(request: ProviderRequest, signal: AbortSignal): Promise<ProviderCompletion> {
    signal.throwIfAborted();
    const { text, ...answer } = answerOf(request);
    return { model: 'demo', content: text, refusal: null, ...answer };
  }

  async *stream(request: ProviderRequest, signal: AbortSignal): AsyncGenerator<ProviderEvent> {
    signal.throwIfAborted();
    const answer = answerOf(request);
    if (answer.reasoning !== null) yield { type: 'reasoning', text: answer.reasoning };
    for (const word of answer.text?.match(/\s*\S+|\s+$/g) ?? []) {
      yield { type: 'text', text: word };
      await this.#pause(signal);
    }
    for (const [index, call] of answer.toolCalls.entries()) {
      yield { type: 'tool_call', index, id: call.id, name: call.name, arguments: '' };
      await this.#pause(signal);
      yield { type: 'tool_call', index, arguments: call.arguments };
    }
    yield { type: 'usage', usage: answer.usage };
    yield { type: 'finish', reason: answer.finishReason, model: 'demo' };
  }

  async close(): Promise<void> {}

  async #pause(signal: AbortSignal): Promise<void> {
    if (this.#wordDelayMs > 0) await delay(this.#wordDelayMs, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
  }
}

function answerOf(request: ProviderRequest): Answer {
  const inputTokens =
    request.messages.reduce((sum, message) => sum + tokensOf(textOf(message)) + 4, 0) +
    tokensOf(JSON.stringify(request.tools ?? ''));
  const effort = request.reasoning?.effort;
  const reasoning =
    effort === undefined || effort === 'none' ? null : 'I look for the words of the question in what I was given.';
  const limit =
    Math.min(request.maxTokens ?? outputTokensMax, outputTokensMax) - (reasoning === null ? 0 : tokensOf(reasoning));
  const finished = (text: string | null, toolCalls: readonly ToolCall[], finishReason: FinishReason): Answer => {
    const reasoningTokens = reasoning === null ? 0 : tokensOf(reasoning);
    const output =
      tokensOf(text ?? '') + toolCalls.reduce((sum, call) => sum + tokensOf(call.name + call.arguments), 0);
    const usage = { inputTokens, outputTokens: output + reasoningTokens, cachedInputTokens: 0, reasoningTokens };
    return { text, reasoning, toolCalls, finishReason, usage };
  };

  const calls = toolCallsFor(request);
  if (calls.length > 0) return finished(null, calls, 'tool_calls');
  let text = writtenAnswer(request);
  let finishReason: FinishReason = 'stop';
  const stops = (request.stop ?? [])
    .map((stop) => (stop === '' ? -1 : text.indexOf(stop)))
    .filter((index) => index >= 0);
  if (stops.length > 0) text = text.slice(0, Math.min(...stops));
  const lengthMax = Math.max(limit, 0) * charactersPerToken;
  if (text.length > lengthMax) {
    // Never half of a surrogate pair.
    text = text.slice(0, lengthMax).replace(/[\uD800-\uDBFF]$/, '');
    finishReason = 'length';
  }
  return finished(text, [], finishReason);
}

function writtenAnswer(request: ProviderRequest): string {
  const format = request.responseFormat;
  const last = lastUserText(request.messages);
  if (format?.type === 'json_schema') return JSON.stringify(instanceOf(format.schema, last));
  const prose = proseAnswer(request, last);
  return format?.type === 'json_object' ? JSON.stringify({ model: 'demo', answer: prose }) : prose;
}

function proseAnswer(request: ProviderRequest, last: string): string {
  const results = toolResults(request.messages);
  if (results.length > 0) {
    return `I am the demo model. ${results.map(({ name, content }) => `The tool ${name} answered: ${content}`).join(' ')}`;
  }
  const { question, rest } = splitQuestion(last);
  const before = request.messages.slice(0, Math.max(lastUserIndex(request.messages), 0));
  // Its own earlier answers are no source.
  const given = before
    .filter((message) => message.role !== 'assistant')
    .flatMap((message) => sentencesOf(textOf(message).slice(-200_000)));
  const found = relevantSentences(question, [...given, ...rest]);
  if (found.length > 0) return `I am the demo model. From what I was given: ${found.join(' ')}`;
  const images = imageCount(request.messages);
  const seen =
    images === 0 ? '' : ` You sent ${images === 1 ? 'an image' : `${images} images`}, which I cannot look at.`;
  const said = last.trim() === '' ? 'You said nothing.' : `You said: ${last.trim()}`;
  return `I am the demo model: I work offline and only know what a request tells me.${seen} ${said}`;
}

// --- tools ------------------------------------------------------------------------------------------------------

/** The calls to make now: what the request asks for by name, less what was called since the user spoke. */
function toolCallsFor(request: ProviderRequest): ToolCall[] {
  const tools = request.tools ?? [];
  const choice = request.toolChoice ?? 'auto';
  if (typeof choice === 'object' && !tools.some((tool) => tool.name === choice.name)) {
    throw new AppError(
      'PROVIDER_REJECTED',
      `The demo model cannot call the tool ${choice.name}: it is not among \`tools\`.`,
    );
  }
  if (choice === 'required' && tools.length === 0) {
    throw new AppError(
      'PROVIDER_REJECTED',
      'The demo model cannot call a tool: the tool choice is "required", but `tools` is empty.',
    );
  }
  if (tools.length === 0 || choice === 'none') return [];
  const text = lastUserText(request.messages).slice(-toolTextLengthMax);
  const called = new Set(callsSinceUser(request.messages).map((call) => call.name));
  const wanted = wantedTools(tools, choice, text).filter((tool) => !called.has(tool.name));
  const now = request.parallelToolCalls === false ? wanted.slice(0, 1) : wanted;
  const turn = request.messages.length;
  return now.map((tool, index) => ({
    id: `call_demo_${turn}_${index}`,
    name: tool.name,
    arguments: JSON.stringify(instanceOf({ type: 'object', ...tool.parameters }, withoutName(text, tool.name))),
  }));
}

function wantedTools(
  tools: readonly ToolDefinition[],
  choice: NonNullable<ProviderRequest['toolChoice']>,
  text: string,
): readonly ToolDefinition[] {
  if (typeof choice === 'object') return tools.filter((tool) => tool.name === choice.name).slice(0, 1);
  const mentioned = tools.filter((tool) => namePattern(tool.name).test(text));
  return mentioned.length === 0 && choice === 'required' ? tools.slice(0, 1) : mentioned;
}

/** A tool's name as people write it: `get_weather`, `get-weather`, `get weather`. */
function namePattern(name: string): RegExp {
  const spelled = name.replaceAll(/[^\p{L}\p{N}]+/gu, '[^\\p{L}\\p{N}]?');
  return new RegExp(`(?<![\\p{L}\\p{N}_])${spelled}(?![\\p{L}\\p{N}_])`, 'iu');
}

/** What is left to take arguments from: `Use get_weather for Kyiv` says `for Kyiv`. */
const withoutName = (text: string, name: string): string => {
  const rest = text
    .replace(
      new RegExp(`(?:please\\s+)?(?:\\b(?:call|use|run|with|the|tool)\\s+)*\`?${namePattern(name).source}\`?`, 'iu'),
      ' ',
    )
    .trim();
  return rest === '' ? text : rest;
};

function callsSinceUser(messages: readonly ChatMessage[]): ToolCall[] {
  return messages
    .slice(lastUserIndex(messages) + 1)
    .flatMap((message) => (message.role === 'assistant' ? [...(message.toolCalls ?? [])] : []));
}

function toolResults(messages: readonly ChatMessage[]): { name: string; content: string }[] {
  const names = new Map(callsSinceUser(messages).map((call) => [call.id, call.name]));
  return messages
    .slice(lastUserIndex(messages) + 1)
    .flatMap((message) =>
      message.role === 'tool'
        ? [{ name: names.get(message.toolCallId) ?? message.toolCallId, content: message.content }]
        : [],
    );
}

// --- messages ---------------------------------------------------------------------------------------------------

const lastUserIndex = (messages: readonly ChatMessage[]): number =>
  messages.findLastIndex((message) => message.role === 'user');

const lastUserText = (messages: readonly ChatMessage[]): string => {
  const message = messages[lastUserIndex(messages)];
  return message === undefined ? '' : textOf(message);
};

function textOf(message: ChatMessage): string {
  if (message.content === null) return '';
  if (typeof message.content === 'string') return message.content;
  return message.content.map((part) => (part.type === 'text' ? part.text : '')).join('\n');
}

const imageCount = (messages: readonly ChatMessage[]): number =>
  messages.reduce(
    (count, message) =>
      count +
      (message.role === 'user' && typeof message.content !== 'string'
        ? message.content.filter((part) => part.type === 'image_url').length
        : 0),
    0,
  );
