import type { ChatMessage, ToolDefinition } from './providers/provider.ts';

/**
 * Tokens of a text, estimated, for when a provider tells no usage or a stream is cut. It walks the text as OpenAI's
 * tokenizers cut it (words with the blank before them, digits by three, runs of signs) and counts what such pieces
 * come to on average; token-count.test.ts holds it against the real o200k_base. A real tokenizer on the main thread
 * would stop all streams for half a second when it loads, and 100 ms for 5,000 random characters.
 */

/** Longer texts are counted in three windows, so that no text takes longer than a few milliseconds. */
const countedLengthMax = 120_000;
const windowLength = 40_000;

type Kind = 'latin' | 'letters' | 'wide' | 'digits' | 'blank' | 'line' | 'sign' | 'other';

function kindOf(code: number): Kind {
  if ((code >= 97 && code <= 122) || (code >= 65 && code <= 90)) return 'latin';
  if (code === 32 || code === 9) return 'blank';
  if (code === 10 || code === 13) return 'line';
  if (code >= 48 && code <= 57) return 'digits';
  if (code < 0xc0) return code < 32 || (code >= 127 && code < 160) ? 'other' : 'sign';
  if (code >= 0xd800 && code <= 0xdfff) return 'other';
  // Chinese, Japanese, Korean.
  if (
    (code >= 0x2e80 && code <= 0x9fff) ||
    (code >= 0xac00 && code <= 0xd7af) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xff00 && code <= 0xffef)
  )
    return 'wide';
  if (code >= 0x2000 && code < 0x2e80) return 'sign';
  return 'letters';
}

/** Tokens of one run of characters of a kind. */
function tokensOfRun(kind: Kind, length: number): number {
  switch (kind) {
    case 'latin':
      return length <= 7 ? 1 : 1 + (length - 7) / 5;
    case 'letters':
      return length <= 2 ? 1 : Math.max(1, length / 3.1);
    case 'wide':
      return length * 0.84;
    case 'digits':
      return Math.ceil(length / 3);
    case 'blank':
      // One blank belongs to the word after it; more are an indentation.
      return length <= 1 ? 0 : 0.6;
    case 'line':
      return 0.7;
    case 'sign':
      return length <= 2 ? 0.92 : length / 3;
    case 'other':
      // Halves of emoji, mostly.
      return length * 0.9;
  }
}

function countWindow(text: string, start: number, end: number): number {
  let tokens = 0;
  let run: Kind | undefined;
  let length = 0;
  for (let index = start; index < end; index += 1) {
    const kind = kindOf(text.charCodeAt(index));
    if (kind === run) {
      length += 1;
      continue;
    }
    if (run !== undefined) tokens += tokensOfRun(run, length);
    run = kind;
    length = 1;
  }
  return run === undefined ? 0 : tokens + tokensOfRun(run, length);
}

/** At least 1 for any text, 0 for none. */
export function countTokens(text: string): number {
  if (text === '') return 0;
  if (text.length <= countedLengthMax) return Math.max(1, Math.round(countWindow(text, 0, text.length)));
  const middle = Math.floor((text.length - windowLength) / 2);
  const counted = [0, middle, text.length - windowLength].reduce(
    (sum, start) => sum + countWindow(text, start, start + windowLength),
    0,
  );
  return Math.round((counted / (3 * windowLength)) * text.length);
}

/** What vendors add to each message for its role and borders. */
const tokensPerMessage = 4;
/** About what an image of middle size costs at OpenAI and Anthropic. */
const tokensPerImage = 800;

/** Tokens of a request's messages and tools, estimated. */
export function estimateMessagesTokens(
  messages: readonly ChatMessage[],
  tools: readonly ToolDefinition[] = [],
): number {
  let tokens = tools.length === 0 ? 0 : countTokens(JSON.stringify(tools));
  for (const message of messages) {
    tokens += tokensPerMessage;
    if (typeof message.content === 'string') tokens += countTokens(message.content);
    else
      for (const part of message.content ?? [])
        tokens += part.type === 'text' ? countTokens(part.text) : tokensPerImage;
    if (message.role === 'assistant')
      for (const call of message.toolCalls ?? [])
        tokens += tokensPerMessage + countTokens(call.name) + countTokens(call.arguments);
  }
  return tokens;
}
