import { type MockAnswer, piecesOf, type RecordedRequest, usageOf } from './answers.ts';

/** Anthropic's messages API. Cached tokens are told beside `input_tokens`, not inside, as the real one does. */

interface Block {
  readonly start: object;
  readonly deltas: readonly object[];
  readonly whole: object;
}

function stopReasonOf(answer: MockAnswer): string {
  if (answer.finishReason !== undefined) {
    return (
      { length: 'max_tokens', content_filter: 'refusal', stop: 'end_turn' }[answer.finishReason] ?? answer.finishReason
    );
  }
  if (answer.refusal !== undefined) return 'refusal';
  return (answer.toolCalls?.length ?? 0) > 0 ? 'tool_use' : 'end_turn';
}

function blocksOf(answer: MockAnswer): Block[] {
  const blocks: Block[] = [];
  if (answer.reasoning !== undefined) {
    const signature = 'c2lnbmVkLWJ5LW1vY2s=';
    blocks.push({
      start: { type: 'thinking', thinking: '', signature: '' },
      deltas: [
        ...(answer.reasoning.match(/\S+\s*/g) ?? []).map((thinking) => ({ type: 'thinking_delta', thinking })),
        { type: 'signature_delta', signature },
      ],
      whole: { type: 'thinking', thinking: answer.reasoning, signature },
    });
  }
  const text = answer.text ?? answer.refusal;
  if (text !== undefined) {
    blocks.push({
      start: { type: 'text', text: '' },
      deltas: (answer.text === undefined ? [text] : piecesOf(answer)).map((piece) => ({
        type: 'text_delta',
        text: piece,
      })),
      whole: { type: 'text', text },
    });
  }
  for (const [index, call] of (answer.toolCalls ?? []).entries()) {
    const half = Math.ceil(call.arguments.length / 2);
    const id = call.id ?? `toolu_mock_${index + 1}`;
    blocks.push({
      start: { type: 'tool_use', id, name: call.name, input: {} },
      deltas: [
        { type: 'input_json_delta', partial_json: '' },
        { type: 'input_json_delta', partial_json: call.arguments.slice(0, half) },
        { type: 'input_json_delta', partial_json: call.arguments.slice(half) },
      ],
      whole: { type: 'tool_use', id, name: call.name, input: parsed(call.arguments) },
    });
  }
  return blocks;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function inputUsage(answer: MockAnswer, bodyBytes: number): object {
  const usage = usageOf(answer, bodyBytes);
  const cached = usage.cachedInputTokens ?? 0;
  return { input_tokens: usage.inputTokens - cached, cache_read_input_tokens: cached, cache_creation_input_tokens: 0 };
}

export function anthropicMessage(request: RecordedRequest, answer: MockAnswer, bodyBytes: number): object {
  return {
    id: 'msg_mock',
    type: 'message',
    role: 'assistant',
    model: request.model,
    content: blocksOf(answer).map((block) => block.whole),
    stop_reason: stopReasonOf(answer),
    stop_sequence: null,
    ...(answer.usage === null
      ? {}
      : { usage: { ...inputUsage(answer, bodyBytes), output_tokens: usageOf(answer, bodyBytes).outputTokens } }),
  };
}

const event = (data: { readonly type: string; readonly [key: string]: unknown }): string =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;

/** The events of a stream, one string each; the last two are `message_delta` and `message_stop`. */
export function anthropicEvents(request: RecordedRequest, answer: MockAnswer, bodyBytes: number): string[] {
  const usage = answer.usage === null ? {} : { usage: { ...inputUsage(answer, bodyBytes), output_tokens: 1 } };
  const message = {
    id: 'msg_mock',
    type: 'message',
    role: 'assistant',
    model: request.model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    ...usage,
  };
  const events = [event({ type: 'message_start', message }) + event({ type: 'ping' })];
  for (const [index, block] of blocksOf(answer).entries()) {
    events.push(event({ type: 'content_block_start', index, content_block: block.start }));
    for (const delta of block.deltas) events.push(event({ type: 'content_block_delta', index, delta }));
    events.push(event({ type: 'content_block_stop', index }));
  }
  const total = answer.usage === null ? {} : { usage: { output_tokens: usageOf(answer, bodyBytes).outputTokens } };
  const delta = { stop_reason: stopReasonOf(answer), stop_sequence: null };
  events.push(event({ type: 'message_delta', delta, ...total }), event({ type: 'message_stop' }));
  return events;
}

export const anthropicStreamError = (): string =>
  'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n';

const messages: Readonly<Record<number, [type: string, message: string]>> = {
  400: ['invalid_request_error', 'wrong: Extra inputs are not permitted'],
  401: ['authentication_error', 'invalid x-api-key sk-ant-secret-0123456789abcdef'],
  403: ['permission_error', 'Your API key does not have permission to use the specified resource.'],
  404: ['not_found_error', 'model: not found'],
  413: ['request_too_large', 'Request exceeds the maximum allowed number of bytes.'],
  429: ['rate_limit_error', 'This request would exceed your rate limit.'],
  529: ['overloaded_error', 'Overloaded'],
};

export function anthropicError(status: number, answer: MockAnswer, model: string): object {
  const [type, message] = messages[status] ?? ['api_error', `The server answered ${status}.`];
  const tooLong = answer.error?.code === 'context_length_exceeded' && answer.error.message === '';
  return {
    type: 'error',
    error: {
      type: answer.error?.type ?? type,
      message: tooLong
        ? 'prompt is too long: 210000 tokens > 200000 maximum'
        : (answer.error?.message ?? (status === 404 ? `model: ${model}` : message)),
    },
    request_id: 'req_mock',
  };
}
