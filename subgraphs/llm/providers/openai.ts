import { OpenAiCompatibleProvider } from './openai-compatible.ts';
import type { OpenAiDialect } from './openai-dialect.ts';
import type { SlimFetchOptions } from './slim-fetch.ts';

export interface OpenAiOptions extends SlimFetchOptions {
  readonly apiKey: string;
  /** Ends in `/v1`. */
  readonly baseUrl?: string | undefined;
}

/** Models that think before they answer: they know `developer` instead of `system`, and count thoughts into the limit. */
const isReasoningModel = (model: string): boolean => /^(?:o\d|gpt-(?:[5-9]|\d\d))/.test(model);
/** Older models, and servers made for them, know `max_tokens` only. */
const isOldModel = (model: string): boolean => /^(?:gpt-3|gpt-4|chatgpt|ft:gpt-[34])/.test(model);

const dialect: OpenAiDialect = {
  name: 'openai',
  title: 'OpenAI',
  keySetting: 'OPENAI_API_KEY',
  urlSetting: 'OPENAI_BASE_URL',
  maxTokensField: (model) => (isOldModel(model) ? 'max_tokens' : 'max_completion_tokens'),
  systemRole: (model) => (isReasoningModel(model) ? 'developer' : 'system'),
  // "Do not think" is what older models do anyway, and they refuse the word.
  reasoning: (effort, model) => (effort === 'none' && isOldModel(model) ? {} : { reasoning_effort: effort }),
  lacks: { reasoningTokens: 'takes no number of reasoning tokens; use `reasoning.effort`' },
  returnsReasoning: false,
  endsWithoutMarker: false,
  embeddingEncoding: 'base64',
  embeddings: true,
};

/** https://platform.openai.com/docs/api-reference/chat */
export function createOpenAiProvider(options: OpenAiOptions): OpenAiCompatibleProvider {
  return new OpenAiCompatibleProvider(dialect, { ...options, baseUrl: options.baseUrl ?? 'https://api.openai.com/v1' });
}
