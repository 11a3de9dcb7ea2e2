import { randomUUID } from 'node:crypto';
import { AppError } from '#platform/errors.ts';
import type { OpenAiDialect } from './openai-dialect.ts';
import { cleanReason, errorFromBody, ProtocolError } from './provider-errors.ts';
import type {
  FinishReason,
  ProviderCompletion,
  ProviderEvent,
  ProviderState,
  TokenUsage,
  ToolCall,
} from './provider.ts';

/**
 * What vendors send as OpenAI's answers, read with care: local servers leave fields out, send numbers as text or
 * objects as arguments. Anything missing that an answer cannot do without is a ProtocolError.
 */
type Loose = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Loose =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const objectOf = (value: unknown): Loose => (isObject(value) ? value : {});
const countOf = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.round(value) : 0;

/** Text, or the text parts that some vendors send instead. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  return value
    .map((part) => (typeof objectOf(part)['text'] === 'string' ? String(objectOf(part)['text']) : ''))
    .join('');
}

/** DeepSeek, vLLM and llama.cpp say `reasoning_content`; Ollama and newer vLLM say `reasoning`. */
const reasoningOf = (message: Loose): string | undefined =>
  textOf(message['reasoning_content']) ?? textOf(message['reasoning']);

/** Null when there is no usage, as in most chunks of a stream. Cached and reasoning tokens are inside the totals here. */
export function usageOf(value: unknown): TokenUsage | null {
  if (!isObject(value)) return null;
  const inputTokens = countOf(value['prompt_tokens']);
  const outputTokens = countOf(value['completion_tokens']);
  if (inputTokens + outputTokens === 0) return null;
  const cached = objectOf(value['prompt_tokens_details'])['cached_tokens'] ?? value['prompt_cache_hit_tokens'];
  const reasoning = objectOf(value['completion_tokens_details'])['reasoning_tokens'];
  return {
    inputTokens,
    outputTokens,
    cachedInputTokens: Math.min(countOf(cached), inputTokens),
    reasoningTokens: Math.min(countOf(reasoning), outputTokens),
  };
}

function finishReasonOf(dialect: OpenAiDialect, reason: string, hasToolCalls: boolean): FinishReason {
  switch (reason) {
    case 'length':
      return 'length';
    case 'content_filter':
      return 'content_filter';
    case 'insufficient_system_resource':
      throw new AppError('STREAM_INTERRUPTED', `${dialect.title} broke off its answer for want of resources.`);
    default:
      // A named tool choice ends with `stop` at OpenAI, and so do all calls at some local servers.
      return hasToolCalls ? 'tool_calls' : 'stop';
  }
}

/** What DeepSeek's thinking models want back with their tool calls. */
function stateOf(dialect: OpenAiDialect, reasoning: string, hasToolCalls: boolean): { providerState?: ProviderState } {
  if (!dialect.returnsReasoning || reasoning === '' || !hasToolCalls) return {};
  return { providerState: { provider: dialect.name, value: { reasoningContent: reasoning } } };
}

/** A whole answer. @throws ProtocolError, VendorHttpError for an error under status 200 */
export function completionOf(dialect: OpenAiDialect, body: unknown, requestedModel: string): ProviderCompletion {
  const answer = objectOf(body);
  if (answer['error'] !== undefined && answer['error'] !== null)
    throw errorFromBody(statusInside(answer), answer, () => null);
  const choice = Array.isArray(answer['choices']) ? objectOf(answer['choices'][0]) : undefined;
  const message = choice?.['message'];
  if (choice === undefined || !isObject(message)) throw new ProtocolError('it has no choices');
  const toolCalls = Array.isArray(message['tool_calls'])
    ? message['tool_calls'].map((call) => wholeToolCall(objectOf(call)))
    : [];
  const reasoning = reasoningOf(message);
  const refusal = textOf(message['refusal']);
  const content = textOf(message['content']);
  return {
    model: typeof answer['model'] === 'string' ? answer['model'] : requestedModel,
    content:
      content === undefined || (content === '' && (toolCalls.length > 0 || refusal !== undefined)) ? null : content,
    reasoning: reasoning === undefined || reasoning === '' ? null : reasoning,
    refusal: refusal === undefined || refusal === '' ? null : refusal,
    toolCalls,
    finishReason: finishReasonOf(dialect, String(choice['finish_reason'] ?? 'stop'), toolCalls.length > 0),
    usage: usageOf(answer['usage']),
    ...stateOf(dialect, reasoning ?? '', toolCalls.length > 0),
  };
}

const statusInside = (answer: Loose): number => {
  const { code, status } = objectOf(answer['error']);
  const stated = [code, status].map(Number).find((value) => value >= 400 && value < 600);
  return stated ?? 500;
};

const argumentsOf = (value: unknown): string =>
  typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value);

function wholeToolCall(call: Loose): ToolCall {
  const { name, arguments: written } = objectOf(call['function']);
  if (typeof name !== 'string' || name === '') throw new ProtocolError('a tool call has no name');
  return { id: idOf(call['id']), name, arguments: argumentsOf(written) };
}

/** Ids come back with the tool's result, so a server that gives none needs one that is nowhere else. */
const idOf = (id: unknown): string => (typeof id === 'string' && id !== '' ? id : `call_${randomUUID()}`);

interface OpenToolCall {
  readonly index: number;
  readonly id: string;
  /** What came before the name did. */
  held: string;
  named: boolean;
}

/** Turns the chunks of one stream into our events; `finish` tells whether it was whole. */
export class ChatStreamReader {
  readonly #dialect: OpenAiDialect;
  readonly #callsByKey = new Map<string, OpenToolCall>();
  readonly #vendorIds = new Map<string, string>();
  #calls = 0;
  #model: string;
  #reason: string | undefined;
  #reasoning = '';
  #done = false;
  #begun = false;

  constructor(dialect: OpenAiDialect, requestedModel: string) {
    this.#dialect = dialect;
    this.#model = requestedModel;
  }

  /** True once `[DONE]` was read. */
  get done(): boolean {
    return this.#done;
  }

  /** @param data of one server-sent event @throws ProtocolError, VendorHttpError for an error inside the stream */
  read(data: string): ProviderEvent[] {
    if (data === '[DONE]') {
      this.#done = true;
      return [];
    }
    let parsed: unknown;
    try {
      parsed = JSON.parse(data);
    } catch {
      throw new ProtocolError('a piece of the stream is broken JSON');
    }
    const chunk = objectOf(parsed);
    if (chunk['error'] !== undefined && chunk['error'] !== null)
      throw errorFromBody(statusInside(chunk), chunk, () => null);
    if (typeof chunk['model'] === 'string' && chunk['model'] !== '') this.#model = chunk['model'];
    const events: ProviderEvent[] = [];
    const choice = Array.isArray(chunk['choices'])
      ? chunk['choices'].map(objectOf).find((item) => (item['index'] ?? 0) === 0)
      : undefined;
    if (choice !== undefined) {
      this.#begun = true;
      this.#delta(objectOf(choice['delta']), events);
      if (typeof choice['finish_reason'] === 'string' && choice['finish_reason'] !== '')
        this.#reason = choice['finish_reason'];
    }
    const usage = usageOf(chunk['usage']);
    if (usage !== null) events.push({ type: 'usage', usage });
    return events;
  }

  #delta(delta: Loose, events: ProviderEvent[]): void {
    const reasoning = reasoningOf(delta);
    if (reasoning !== undefined && reasoning !== '') {
      if (this.#dialect.returnsReasoning) this.#reasoning += reasoning;
      events.push({ type: 'reasoning', text: reasoning });
    }
    const text = textOf(delta['content']);
    if (text !== undefined && text !== '') events.push({ type: 'text', text });
    const refusal = textOf(delta['refusal']);
    if (refusal !== undefined && refusal !== '') events.push({ type: 'refusal', text: refusal });
    if (Array.isArray(delta['tool_calls']))
      for (const call of delta['tool_calls']) this.#toolCall(objectOf(call), events);
  }

  #toolCall(delta: Loose, events: ProviderEvent[]): void {
    const call = this.#callFor(delta);
    const { name, arguments: written } = objectOf(delta['function']);
    const piece = argumentsOf(written);
    if (call.named) {
      if (piece !== '') events.push({ type: 'tool_call', index: call.index, arguments: piece });
      return;
    }
    call.held += piece;
    if (typeof name !== 'string' || name === '') return;
    call.named = true;
    events.push({ type: 'tool_call', index: call.index, id: call.id, name, arguments: call.held });
  }

  /** Calls are told apart by the vendor's index; where it is missing or the same for all, by their ids. */
  #callFor(delta: Loose): OpenToolCall {
    const id = typeof delta['id'] === 'string' && delta['id'] !== '' ? delta['id'] : undefined;
    const place =
      typeof delta['index'] === 'number' ? `index ${delta['index']}` : id === undefined ? 'the last' : `id ${id}`;
    const open = this.#callsByKey.get(place);
    if (
      open !== undefined &&
      (id === undefined || this.#vendorIds.get(place) === id || this.#vendorIds.get(place) === undefined)
    )
      return open;
    const call = { index: this.#calls, id: idOf(id), held: '', named: false };
    this.#calls += 1;
    this.#callsByKey.set(place, call);
    this.#callsByKey.set('the last', call);
    if (id !== undefined) this.#vendorIds.set(place, id);
    return call;
  }

  /**
   * The last event of a whole answer.
   *
   * @throws AppError STREAM_INTERRUPTED when the stream just ended
   */
  finish(): ProviderEvent {
    const whole = this.#done || (this.#dialect.endsWithoutMarker && this.#reason !== undefined);
    if (!whole)
      throw new AppError('STREAM_INTERRUPTED', `${this.#dialect.title} ended its answer before its last word.`);
    if (!this.#begun) throw new ProtocolError('it has no choices');
    if ([...this.#callsByKey.values()].some((call) => !call.named)) throw new ProtocolError('a tool call has no name');
    const hasCalls = this.#calls > 0;
    return {
      type: 'finish',
      reason: finishReasonOf(this.#dialect, this.#reason ?? 'stop', hasCalls),
      model: this.#model,
      ...stateOf(this.#dialect, this.#reasoning, hasCalls),
    };
  }
}

/** Vectors of an embeddings answer, in the order of the texts. @throws ProtocolError */
export function embeddingsOf(
  body: unknown,
  texts: number,
): { vectors: Float32Array[]; inputTokens: number | null; model: string | undefined } {
  const answer = objectOf(body);
  if (answer['error'] !== undefined && answer['error'] !== null)
    throw errorFromBody(statusInside(answer), answer, () => null);
  const data = answer['data'];
  if (!Array.isArray(data) || data.length !== texts)
    throw new ProtocolError(`it has ${Array.isArray(data) ? data.length : 'no'} embeddings for ${texts} texts`);
  const vectors: Float32Array[] = [];
  for (const [position, item] of data.entries()) {
    const { index, embedding } = objectOf(item);
    vectors[typeof index === 'number' ? index : position] = vectorOf(embedding);
  }
  const length = vectors[0]?.length ?? 0;
  for (let index = 0; index < texts; index += 1) {
    if (vectors[index]?.length !== length || length === 0)
      throw new ProtocolError(cleanReason('its embeddings are of different lengths or missing'));
  }
  const tokens = countOf(objectOf(answer['usage'])['prompt_tokens']);
  return {
    vectors,
    inputTokens: tokens === 0 ? null : tokens,
    model: typeof answer['model'] === 'string' ? answer['model'] : undefined,
  };
}

function vectorOf(value: unknown): Float32Array {
  let vector: Float32Array;
  if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'base64');
    vector = new Float32Array(Math.floor(bytes.length / 4));
    for (let index = 0; index < vector.length; index += 1) vector[index] = bytes.readFloatLE(index * 4);
  } else if (Array.isArray(value)) {
    vector = Float32Array.from(value as number[]);
  } else {
    throw new ProtocolError('an embedding is neither numbers nor base64');
  }
  if (!vector.every(Number.isFinite)) throw new ProtocolError('an embedding holds something that is no number');
  return vector;
}
