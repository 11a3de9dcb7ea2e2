import { z } from 'zod';
import {
  databaseSettings,
  integerSetting,
  processSettings,
  readConfig,
  secretSetting,
  urlSetting,
  type Environment,
} from '#platform/config.ts';
import type { ProviderSettings } from './providers/create-providers.ts';

const httpUrl = () => urlSetting('http:', 'https:').optional();

/** What the llm subgraph reads in both layouts. */
export const llmSettings = {
  OPENAI_API_KEY: z.string().optional(),
  OPENAI_BASE_URL: httpUrl(),
  ANTHROPIC_API_KEY: z.string().optional(),
  ANTHROPIC_BASE_URL: httpUrl(),
  DEEPSEEK_API_KEY: z.string().optional(),
  DEEPSEEK_BASE_URL: httpUrl(),
  LOCAL_LLM_BASE_URL: httpUrl(),
  LOCAL_LLM_API_KEY: z.string().optional(),
  /** A JSON file of models that add to, or replace by id, those of subgraphs/llm/models.json. */
  LLM_MODELS_FILE: z.string().optional(),
  EMBEDDING_MODEL: z.string().optional(),
  /** How long the answer to one request may take in all. */
  LLM_REQUEST_TIMEOUT_MS: integerSetting(1_000, 3_600_000).default(600_000),
  LLM_CONNECT_TIMEOUT_MS: integerSetting(100, 60_000).default(5_000),
  LLM_FIRST_TOKEN_TIMEOUT_MS: integerSetting(100, 600_000).default(120_000),
  LLM_BETWEEN_TOKENS_TIMEOUT_MS: integerSetting(100, 600_000).default(60_000),
} as const;

const llmShape = z.object(llmSettings);
export type LlmConfig = z.output<typeof llmShape>;

const serviceShape = z.object({
  ...processSettings,
  PORT: integerSetting(0, 65_535).default(4001),
  ...databaseSettings,
  INTERNAL_SECRET: secretSetting(),
  ...llmSettings,
});

/** Settings of `npm run start:llm`. @throws ConfigError with every bad one */
export const readLlmServiceConfig = (environment: Environment) => readConfig(serviceShape, environment);

/** The providers that are configured: one with a key, or for `local` a base URL. */
export function providerSettings(config: LlmConfig): ProviderSettings {
  const vendor = (apiKey: string | undefined, baseUrl: string | undefined) =>
    apiKey === undefined ? undefined : { apiKey, baseUrl };
  return {
    openai: vendor(config.OPENAI_API_KEY, config.OPENAI_BASE_URL),
    anthropic: vendor(config.ANTHROPIC_API_KEY, config.ANTHROPIC_BASE_URL),
    deepseek: vendor(config.DEEPSEEK_API_KEY, config.DEEPSEEK_BASE_URL),
    local:
      config.LOCAL_LLM_BASE_URL === undefined
        ? undefined
        : { baseUrl: config.LOCAL_LLM_BASE_URL, apiKey: config.LOCAL_LLM_API_KEY },
    deadlines: {
      connectMs: config.LLM_CONNECT_TIMEOUT_MS,
      firstTokenMs: config.LLM_FIRST_TOKEN_TIMEOUT_MS,
      betweenTokensMs: config.LLM_BETWEEN_TOKENS_TIMEOUT_MS,
    },
  };
}
