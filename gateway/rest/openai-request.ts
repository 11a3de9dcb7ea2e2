import { isJsonObject, typeWord } from './input-mapping.ts';
import type { InputReading } from './input-path.ts';
import type { TranslatedBody } from './route.ts';

/** Parameters that have the same name and meaning in `/internal/llm/proxy`. */
const sameNames = [
  'model',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'response_format',
  'temperature',
  'top_p',
  'seed',
  'reasoning',
  'stream',
  'microdao_id',
  'agent_id',
  'idempotency_key',
] as const;

/** Read below, each in its own way. */
const ownHandling = new Set([
  'messages',
  'stop',
  'max_tokens',
  'max_completion_tokens',
  'reasoning_effort',
  'n',
  'stream_options',
  'functions',
  'function_call',
  'provider_options',
]);

/**
 * The body of OpenAI's chat completions in the spelling of `/internal/llm/proxy`. Whatever has no name there goes to
 * the provider as it is. Null means "not set", as OpenAI has it.
 */
export function translateChatRequest(body: Readonly<Record<string, unknown>>, reading: InputReading): TranslatedBody {
  const result: Record<string, unknown> = {};
  const clientPaths: Record<string, string> = {};
  for (const name of sameNames) if (isSet(body[name])) result[name] = body[name];
  if (body['messages'] !== undefined) result['messages'] = translateMessages(body['messages'], reading);
  if (isSet(body['stop'])) result['stop'] = body['stop'];

  const maxTokensName = isSet(body['max_completion_tokens']) ? 'max_completion_tokens' : 'max_tokens';
  if (isSet(body[maxTokensName])) {
    result['max_tokens'] = body[maxTokensName];
    clientPaths['max_tokens'] = maxTokensName;
  }
  if (isSet(body['reasoning_effort'])) {
    const reasoning = isJsonObject(body['reasoning']) ? body['reasoning'] : {};
    result['reasoning'] = { ...reasoning, effort: body['reasoning_effort'] };
    clientPaths['reasoning.effort'] = 'reasoning_effort';
  }
  refuseUnsupported(body, reading);
  readStreamOptions(body['stream_options'], reading);

  const providerOptions = collectProviderOptions(body, result, reading);
  const optionNames = Object.keys(providerOptions);
  if (optionNames.length > 0) result['provider_options'] = providerOptions;
  for (const name of optionNames) if (Object.hasOwn(body, name)) clientPaths[`provider_options.${name}`] = name;
  return { body: result, clientPaths };
}

/**
 * OpenAI's defaults, which some clients always spell out. They ask for nothing, and other providers would refuse the
 * very name.
 */
const neutralValues: Readonly<Record<string, unknown>> = {
  frequency_penalty: 0,
  presence_penalty: 0,
  logprobs: false,
  store: false,
};

export const isSet = (value: unknown): boolean => value !== undefined && value !== null;

function refuseUnsupported(body: Readonly<Record<string, unknown>>, reading: InputReading): void {
  const n = body['n'];
  if (isSet(n) && n !== 1) reading.refuseAt('n', 'must be 1: several answers to one request are not supported');
  for (const name of ['functions', 'function_call']) {
    if (isSet(body[name])) reading.refuseAt(name, 'is OpenAI\'s old form; use "tools" and "tool_choice"');
  }
}

function readStreamOptions(options: unknown, reading: InputReading): void {
  if (!isSet(options)) return;
  if (!isJsonObject(options)) reading.refuseAt('stream_options', `must be an object, not ${typeWord(options)}`);
  else if (isSet(options['include_usage']) && typeof options['include_usage'] !== 'boolean') {
    reading.refuseAt(
      'stream_options.include_usage',
      `must be true or false, not ${typeWord(options['include_usage'])}`,
    );
  }
}

function collectProviderOptions(
  body: Readonly<Record<string, unknown>>,
  result: Record<string, unknown>,
  reading: InputReading,
): Record<string, unknown> {
  const known = new Set<string>(sameNames);
  const given = body['provider_options'];
  if (isSet(given) && !isJsonObject(given))
    reading.refuseAt('provider_options', `must be an object, not ${typeWord(given)}`);
  // Entries, not assignments: JSON may hold a key `__proto__`.
  const options: [string, unknown][] = Object.entries(body).filter(
    ([name, value]) => isSet(value) && !known.has(name) && !ownHandling.has(name) && neutralValues[name] !== value,
  );
  if (isJsonObject(given)) options.push(...Object.entries(given));
  const seed = result['seed'];
  if (typeof seed === 'number' && Number.isSafeInteger(seed) && Math.abs(seed) > 2_147_483_647) {
    // OpenAI's seed has 64 bits, GraphQL's Int 32.
    options.push(['seed', seed]);
    delete result['seed'];
  }
  return Object.fromEntries(options);
}

// --- messages ---------------------------------------------------------------------------------------------------

/**
 * What clients send back with an assistant's message because it was in the answer, and what says nothing: left out
 * when empty. `reasoning_content` is left out always, as DeepSeek asks for.
 */
const echoedFields = new Set(['refusal', 'annotations', 'audio', 'function_call', 'reasoning_content', 'reasoning']);

const isEchoed = (name: string, value: unknown): boolean => !isSet(value) || echoedFields.has(name);

function translateMessages(messages: unknown, reading: InputReading): unknown {
  if (!Array.isArray(messages)) return messages;
  return messages.map((message: unknown, index) =>
    isJsonObject(message) ? translateMessage(message, index, reading) : message,
  );
}

function translateMessage(message: Readonly<Record<string, unknown>>, index: number, reading: InputReading): unknown {
  for (const name of ['audio', 'function_call']) {
    if (isSet(message[name])) reading.refuseAt(`messages[${index}].${name}`, 'is not supported');
  }
  // Most messages are what they should be.
  const asItIs =
    message['role'] !== 'developer' && Object.keys(message).every((name) => !isEchoed(name, message[name]));
  if (asItIs) return message;
  const result = Object.fromEntries(Object.entries(message).filter(([name, value]) => !isEchoed(name, value)));
  if (message['role'] === 'developer') result['role'] = 'system';
  // What the model said when it refused is what it said.
  if (!isSet(message['content']) && typeof message['refusal'] === 'string') result['content'] = message['refusal'];
  return result;
}
