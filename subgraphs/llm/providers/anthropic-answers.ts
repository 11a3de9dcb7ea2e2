import { AppError } from '#platform/errors.ts';
import type { AnthropicState } from './anthropic-request.ts';
import { errorFromBody, ProtocolError } from './provider-errors.ts';
import type {
  FinishReason,
  ProviderCompletion,
  ProviderEvent,
  ProviderState,
  TokenUsage,
  ToolCall,
} from './provider.ts';

type Loose = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Loose =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const objectOf = (value: unknown): Loose => (isObject(value) ? value : {});
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** What was counted so far; Anthropic tells totals, some of them only at the start. */
interface Counts {
  readonly input: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  readonly output: number;
  readonly thinking: number;
}

/** Later totals replace earlier ones; what a later event leaves out stays. */
function addCounts(counts: Counts | undefined, value: unknown): Counts | undefined {
  if (!isObject(value)) return counts;
  const pick = (key: string, before: number | undefined, source: Loose = value): number => {
    const count = source[key];
    return typeof count === 'number' && Number.isFinite(count) && count >= 0 ? Math.round(count) : (before ?? 0);
  };
  return {
    input: pick('input_tokens', counts?.input),
    cacheRead: pick('cache_read_input_tokens', counts?.cacheRead),
    cacheWrite: pick('cache_creation_input_tokens', counts?.cacheWrite),
    output: pick('output_tokens', counts?.output),
    thinking: pick('thinking_tokens', counts?.thinking, objectOf(value['output_tokens_details'])),
  };
}

/** Anthropic counts cached tokens beside `input_tokens`; here they are inside. */
const usageOf = (counts: Counts): TokenUsage => ({
  inputTokens: counts.input + counts.cacheRead + counts.cacheWrite,
  outputTokens: counts.output,
  cachedInputTokens: counts.cacheRead,
  reasoningTokens: Math.min(counts.thinking, counts.output),
});

function finishReasonOf(stopReason: unknown, hasToolCalls: boolean): FinishReason {
  switch (stopReason) {
    case 'tool_use':
      return 'tool_calls';
    case 'max_tokens':
    case 'model_context_window_exceeded':
      return 'length';
    case 'refusal':
      return 'content_filter';
    default:
      // end_turn, stop_sequence; pause_turn is answered by sending the message back with its state.
      return hasToolCalls && stopReason === undefined ? 'tool_calls' : 'stop';
  }
}

const isThinking = (block: Loose): boolean => block['type'] === 'thinking' || block['type'] === 'redacted_thinking';
const isPlain = (block: Loose): boolean => block['type'] === 'text' || block['type'] === 'tool_use';

/** See AnthropicState. Undefined when the answer is text and tool calls alone. */
function stateOf(blocks: readonly Loose[], stopReason: unknown): ProviderState | undefined {
  const firstOther = blocks.findIndex((block) => !isThinking(block));
  const leading = firstOther < 0 ? blocks : blocks.slice(0, firstOther);
  const rest = firstOther < 0 ? [] : blocks.slice(firstOther);
  const simple = rest.every(isPlain) && stopReason !== 'pause_turn';
  if (simple && leading.length === 0) return undefined;
  const value: AnthropicState = simple ? { thinking: leading } : { content: blocks };
  return { provider: 'anthropic', value };
}

/** The model's own explanation of a refusal, where it gives one. */
const explanationOf = (details: unknown): string | null => textOf(objectOf(details)['explanation']) || null;

/** A whole answer. @throws ProtocolError, VendorHttpError for an error under status 200 */
export function completionOf(body: unknown, requestedModel: string): ProviderCompletion {
  const answer = objectOf(body);
  if (answer['type'] === 'error' || isObject(answer['error']))
    throw errorFromBody(streamErrorStatus(answer), answer, () => null);
  if (!Array.isArray(answer['content'])) throw new ProtocolError('it has no content');
  const blocks = answer['content'].map(objectOf);
  const toolCalls: ToolCall[] = blocks
    .filter((block) => block['type'] === 'tool_use')
    .map((block) => {
      if (typeof block['id'] !== 'string' || typeof block['name'] !== 'string')
        throw new ProtocolError('a tool call has no id or name');
      return { id: block['id'], name: block['name'], arguments: JSON.stringify(block['input'] ?? {}) };
    });
  const join = (type: string, key: string): string | null =>
    blocks.some((block) => block['type'] === type)
      ? blocks.map((block) => (block['type'] === type ? textOf(block[key]) : '')).join('')
      : null;
  const counts = addCounts(undefined, answer['usage']);
  const providerState = stateOf(blocks, answer['stop_reason']);
  return {
    model: textOf(answer['model']) || requestedModel,
    content: join('text', 'text'),
    reasoning: join('thinking', 'thinking') || null,
    refusal: explanationOf(answer['stop_details']),
    toolCalls,
    finishReason: finishReasonOf(answer['stop_reason'] ?? undefined, toolCalls.length > 0),
    usage: counts === undefined ? null : usageOf(counts),
    ...(providerState === undefined ? {} : { providerState }),
  };
}

/** What an error inside a stream would have had for a status; https://docs.anthropic.com/en/api/errors */
function streamErrorStatus(body: Loose): number {
  const statuses: Readonly<Record<string, number>> = {
    invalid_request_error: 400,
    authentication_error: 401,
    billing_error: 402,
    permission_error: 403,
    not_found_error: 404,
    request_too_large: 413,
    rate_limit_error: 429,
    timeout_error: 504,
    overloaded_error: 529,
  };
  return statuses[textOf(objectOf(body['error'])['type'])] ?? 500;
}

interface OpenBlock {
  /** As it will be sent back: filled by its deltas. */
  readonly block: Record<string, unknown>;
  /** Of a tool call: our index, counted over calls alone. */
  readonly callIndex: number;
  json: string;
}

/** Turns the events of one stream into ours; `finish` tells whether it was whole. */
export class MessageStreamReader {
  readonly #open = new Map<unknown, OpenBlock>();
  readonly #blocks: Record<string, unknown>[] = [];
  #calls = 0;
  #counts: Counts | undefined;
  #model: string;
  #stopReason: unknown;
  #begun = false;
  #stopped = false;

  constructor(requestedModel: string) {
    this.#model = requestedModel;
  }

  /** True once `message_stop` was read. */
  get done(): boolean {
    return this.#stopped;
  }

  /** @param data of one server-sent event @throws ProtocolError, VendorHttpError for an error inside the stream */
  read(data: string): ProviderEvent[] {
    let parsed: unknown;
    try {
      parsed = JSON.parse(data);
    } catch {
      throw new ProtocolError('a piece of the stream is broken JSON');
    }
    const event = objectOf(parsed);
    switch (event['type']) {
      case 'message_start': {
        this.#begun = true;
        const message = objectOf(event['message']);
        this.#model = textOf(message['model']) || this.#model;
        return this.#usage(message['usage']);
      }
      case 'content_block_start':
        return this.#start(event);
      case 'content_block_delta':
        return this.#delta(event);
      case 'content_block_stop':
        return this.#stop(event);
      case 'message_delta': {
        const delta = objectOf(event['delta']);
        this.#stopReason = delta['stop_reason'] ?? this.#stopReason;
        const refusal = explanationOf(delta['stop_details']);
        return [
          ...(refusal === null ? [] : [{ type: 'refusal' as const, text: refusal }]),
          ...this.#usage(event['usage']),
        ];
      }
      case 'message_stop':
        this.#stopped = true;
        return [];
      case 'error':
        throw errorFromBody(streamErrorStatus(event), event, () => null);
      default:
        // `ping`, and what Anthropic may add: its guide says to pass over unknown events.
        return [];
    }
  }

  #usage(value: unknown): ProviderEvent[] {
    if (!isObject(value)) return [];
    this.#counts = addCounts(this.#counts, value);
    return this.#counts === undefined ? [] : [{ type: 'usage', usage: usageOf(this.#counts) }];
  }

  #start(event: Loose): ProviderEvent[] {
    const block = { ...objectOf(event['content_block']) };
    const isCall = block['type'] === 'tool_use';
    if (isCall && (typeof block['id'] !== 'string' || typeof block['name'] !== 'string'))
      throw new ProtocolError('a tool call has no id or name');
    this.#open.set(event['index'], { block, callIndex: isCall ? this.#calls : -1, json: '' });
    this.#blocks.push(block);
    if (isCall) {
      this.#calls += 1;
      return [
        {
          type: 'tool_call',
          index: this.#calls - 1,
          id: String(block['id']),
          name: String(block['name']),
          arguments: '',
        },
      ];
    }
    if (block['type'] === 'text' && textOf(block['text']) !== '')
      return [{ type: 'text', text: textOf(block['text']) }];
    if (block['type'] === 'thinking' && textOf(block['thinking']) !== '')
      return [{ type: 'reasoning', text: textOf(block['thinking']) }];
    return [];
  }

  #delta(event: Loose): ProviderEvent[] {
    const open = this.#open.get(event['index']);
    if (open === undefined) throw new ProtocolError('a piece of the stream belongs to no block');
    const delta = objectOf(event['delta']);
    const append = (key: string): string => {
      const text = textOf(delta[key]);
      open.block[key] = textOf(open.block[key]) + text;
      return text;
    };
    switch (delta['type']) {
      case 'text_delta': {
        const text = append('text');
        return text === '' ? [] : [{ type: 'text', text }];
      }
      case 'thinking_delta': {
        const text = append('thinking');
        return text === '' ? [] : [{ type: 'reasoning', text }];
      }
      case 'signature_delta':
        append('signature');
        return [];
      case 'input_json_delta': {
        const json = textOf(delta['partial_json']);
        open.json += json;
        return json === '' || open.callIndex < 0 ? [] : [{ type: 'tool_call', index: open.callIndex, arguments: json }];
      }
      default:
        return [];
    }
  }

  #stop(event: Loose): ProviderEvent[] {
    const open = this.#open.get(event['index']);
    this.#open.delete(event['index']);
    if (open === undefined || !('input' in open.block)) return [];
    const whole = open.json === '';
    if (!whole) open.block['input'] = parsedInput(open.json);
    // A call without arguments has no deltas, and some servers send all of it at the start.
    return whole && open.callIndex >= 0
      ? [{ type: 'tool_call', index: open.callIndex, arguments: JSON.stringify(open.block['input'] ?? {}) }]
      : [];
  }

  /** The last event of a whole answer. @throws AppError STREAM_INTERRUPTED when it just ended */
  finish(): ProviderEvent {
    if (!this.#stopped) throw new AppError('STREAM_INTERRUPTED', 'Anthropic ended its answer without `message_stop`.');
    if (!this.#begun) throw new ProtocolError('it has no `message_start`');
    const providerState = stateOf(this.#blocks, this.#stopReason);
    return {
      type: 'finish',
      reason: finishReasonOf(this.#stopReason, this.#calls > 0),
      model: this.#model,
      ...(providerState === undefined ? {} : { providerState }),
    };
  }
}

function parsedInput(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return { INVALID_JSON: json };
  }
}
