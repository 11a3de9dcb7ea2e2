import { OpenAiCompatibleProvider } from './openai-compatible.ts';
import type { OpenAiDialect } from './openai-dialect.ts';
import type { SlimFetchOptions } from './slim-fetch.ts';

export interface DeepSeekOptions extends SlimFetchOptions {
  readonly apiKey: string;
  readonly baseUrl?: string | undefined;
}

const dialect: OpenAiDialect = {
  name: 'deepseek',
  title: 'DeepSeek',
  keySetting: 'DEEPSEEK_API_KEY',
  urlSetting: 'DEEPSEEK_BASE_URL',
  maxTokensField: () => 'max_tokens',
  systemRole: () => 'system',
  // https://api-docs.deepseek.com/guides/thinking_mode: a switch and an effort; it maps our efforts to its own.
  reasoning: (effort) =>
    effort === 'none'
      ? { thinking: { type: 'disabled' } }
      : { thinking: { type: 'enabled' }, reasoning_effort: effort },
  lacks: {
    seed: 'has no seed; leave it out',
    images: 'cannot see images; use a model with vision',
    jsonSchema: 'cannot answer by a JSON schema; use json_object and describe the JSON in a message',
    serialToolCalls: 'cannot be kept from calling several tools at once; leave `parallelToolCalls` out',
    reasoningTokens: 'takes no number of reasoning tokens; use `reasoning.effort`',
  },
  returnsReasoning: true,
  endsWithoutMarker: false,
  embeddingEncoding: 'float',
  embeddings: false,
};

/** https://api-docs.deepseek.com */
export function createDeepSeekProvider(options: DeepSeekOptions): OpenAiCompatibleProvider {
  return new OpenAiCompatibleProvider(dialect, { ...options, baseUrl: options.baseUrl ?? 'https://api.deepseek.com' });
}
