/** What the mock upstream can be told to answer, whichever protocol asks. */

export interface MockToolCall {
  readonly id?: string;
  readonly name: string;
  /** JSON as text; may be broken on purpose. */
  readonly arguments: string;
}

export interface MockUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens?: number;
  readonly reasoningTokens?: number;
}

/**
 * How an answer goes wrong.
 * - `cut`: half of the stream, then the socket is destroyed (whole answers: half of the body).
 * - `no-done`: the stream ends politely, but without finish reason and final marker.
 * - `malformed-chunk`: broken JSON in the middle of the stream (whole answers: a broken body).
 * - `error-in-stream`: an error object in the middle of a stream that began with 200 (whole answers: status 500).
 * - `silent`: takes the request and never says a word.
 * - `stall`: half of the stream, then silence.
 * - `html`: status 200 and a web page.
 * - `empty`: status 200 and `{}` (streams: only the final marker).
 */
export type MockFault =
  | 'cut'
  | 'no-done'
  | 'malformed-chunk'
  | 'error-in-stream'
  | 'silent'
  | 'stall'
  | 'html'
  | 'empty';

export interface MockAnswer {
  /** Anything but 200 answers with an error in the protocol's own shape, or with `body`. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it is instead of all else: a string is raw text, such as a recorded event stream; other values are JSON. */
  readonly body?: unknown;
  /** `error.message`, and OpenAI's `error.code` or Anthropic's `error.type`, of an error answer. */
  readonly error?: { readonly message: string; readonly code?: string; readonly type?: string };
  /** Wait before the first byte, in milliseconds. */
  readonly delayMs?: number;
  readonly text?: string;
  /** Pieces of the text in a stream; words of `text` when left out. */
  readonly pieces?: readonly string[];
  /** Wait between pieces, in milliseconds; 0 sends all at once. */
  readonly pieceDelayMs?: number;
  readonly reasoning?: string;
  readonly refusal?: string;
  readonly toolCalls?: readonly MockToolCall[];
  /** In the protocol's own words; fits the answer when left out. */
  readonly finishReason?: string;
  /** Null: no usage is told. Counted from the text when left out. */
  readonly usage?: MockUsage | null;
  readonly fault?: MockFault;
}

/** A request as the upstream saw it. */
export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Record<string, unknown>;
  readonly model: string;
  /** `performance.now()` when its body was read. */
  readonly receivedAt: number;
  /** The client went away before the answer's end. */
  aborted: boolean;
  /** `performance.now()` when that was noticed. */
  abortedAt: number | undefined;
}

export type MockBehaviour = MockAnswer | ((request: RecordedRequest) => MockAnswer);

const numbered = (pattern: RegExp, name: string): number[] | undefined => pattern.exec(name)?.slice(1).map(Number);

/**
 * The answer a model's name stands for. Known names: `echo` (the last user message), `slow-300ms`,
 * `stream-100-tokens`, `stream-100-tokens-10ms` (paced), `tool-call` (calls the request's first tool),
 * `parallel-tool-calls`, `reasoning`, `refusal`, `json`, `no-usage`, `cached-usage`, `length`, `content-filter`,
 * `context-length`, `status-401` and every other status, and the names of MockFault (`cut-stream` is `cut`).
 * Any other name answers `Hello from <model>.`
 */
export function answerByModelName(request: RecordedRequest): MockAnswer {
  const name = request.model;
  const slow = numbered(/^slow-(\d+)ms$/, name);
  if (slow !== undefined) return { text: 'Sorry for the wait.', delayMs: slow[0] ?? 0 };
  const stream = numbered(/^stream-(\d+)-tokens(?:-(\d+)ms)?$/, name);
  if (stream !== undefined) {
    const pieces = Array.from({ length: stream[0] ?? 0 }, (_, index) => `tok${index} `);
    return { text: pieces.join(''), pieces, pieceDelayMs: stream[1] || 0 };
  }
  const status = numbered(/^status-(\d{3})$/, name);
  if (status !== undefined) return { status: status[0] ?? 500 };
  return namedAnswers[name]?.(request) ?? { text: `Hello from ${name}.` };
}

const longText = 'one two three four five six seven eight nine ten';

const namedAnswers: Readonly<Record<string, (request: RecordedRequest) => MockAnswer>> = {
  echo: (request) => ({ text: lastUserText(request.body) }),
  'tool-call': (request) => ({
    toolCalls: [{ id: 'call_mock_1', name: firstToolName(request.body), arguments: '{"city":"Kyiv","days":3}' }],
  }),
  'parallel-tool-calls': (request) => ({
    text: 'Let me look.',
    toolCalls: [
      { id: 'call_mock_1', name: firstToolName(request.body), arguments: '{"city":"Kyiv"}' },
      { id: 'call_mock_2', name: firstToolName(request.body), arguments: '{"city":"Lviv"}' },
    ],
  }),
  reasoning: () => ({
    text: 'The answer is 42.',
    reasoning: 'First I think, then I answer.',
    usage: { inputTokens: 12, outputTokens: 30, reasoningTokens: 20 },
  }),
  refusal: () => ({ refusal: 'I cannot help with that.' }),
  json: () => ({ text: '{"city":"Kyiv","population":2952301}' }),
  'no-usage': () => ({ text: 'Nobody counted this.', usage: null }),
  'cached-usage': () => ({ text: 'Cached.', usage: { inputTokens: 100, outputTokens: 5, cachedInputTokens: 80 } }),
  length: () => ({ text: 'This was too lo', finishReason: 'length' }),
  'content-filter': () => ({ text: 'I was going to say', finishReason: 'content_filter' }),
  'context-length': () => ({ status: 400, error: { message: '', code: 'context_length_exceeded' } }),
  'cut-stream': () => ({ text: longText, fault: 'cut' }),
  'no-done': () => ({ text: longText, fault: 'no-done' }),
  'malformed-chunk': () => ({ text: longText, fault: 'malformed-chunk' }),
  'error-in-stream': () => ({ text: longText, fault: 'error-in-stream' }),
  silent: () => ({ fault: 'silent' }),
  stall: () => ({ text: longText, fault: 'stall' }),
  html: () => ({ fault: 'html' }),
  empty: () => ({ fault: 'empty' }),
};

const textOf = (content: unknown): string => {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .map((part: { type?: string; text?: string }) => (part.type === 'text' ? (part.text ?? '') : ''))
    .join('');
};

function lastUserText(body: Record<string, unknown>): string {
  const messages = Array.isArray(body['messages']) ? (body['messages'] as { role: string; content: unknown }[]) : [];
  return textOf(messages.findLast((message) => message.role === 'user')?.content);
}

function firstToolName(body: Record<string, unknown>): string {
  const tools = Array.isArray(body['tools']) ? (body['tools'] as { name?: string; function?: { name: string } }[]) : [];
  return tools[0]?.function?.name ?? tools[0]?.name ?? 'get_weather';
}

/** About what a tokenizer would say: four characters a token. */
export function usageOf(answer: MockAnswer, bodyBytes: number): MockUsage {
  if (answer.usage) return answer.usage;
  const output = [
    answer.text,
    answer.reasoning,
    answer.refusal,
    ...(answer.toolCalls ?? []).map((call) => call.arguments),
  ];
  const characters = output.reduce((sum, text) => sum + (text?.length ?? 0), 0);
  return {
    inputTokens: Math.ceil(bodyBytes / 4),
    outputTokens: answer.pieces?.length ?? Math.ceil(characters / 4),
  };
}

/** The text in stream-sized pieces; they join to the text again. */
export const piecesOf = (answer: MockAnswer): readonly string[] =>
  answer.pieces ?? answer.text?.match(/\S+\s*|\s+/g) ?? [];
