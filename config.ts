import { z } from 'zod';
import { gatewaySettings } from './gateway/config.ts';
import { databaseSettings, processSettings, readConfig, secretSetting, type Environment } from './platform/config.ts';
import { llmSettings } from './subgraphs/llm/config.ts';

const dataFolderSettings = {
  /** Where the embedded database and the secrets are kept. */
  DATA_DIR: z.string().default('./data'),
} as const;

const embeddedShape = z.object({
  ...processSettings,
  ...dataFolderSettings,
  DATABASE_URL: databaseSettings.DATABASE_URL.optional(),
  INTERNAL_SECRET: secretSetting().optional(),
  ...gatewaySettings,
  ...llmSettings,
});

export type EmbeddedConfig = z.output<typeof embeddedShape>;

/** Settings of `npm start`: everything in one process. @throws ConfigError with every bad one */
export const readEmbeddedConfig = (environment: Environment): EmbeddedConfig => readConfig(embeddedShape, environment);

const commandShape = z.object({
  ...dataFolderSettings,
  HOST: processSettings.HOST,
  PORT: processSettings.PORT,
  DATABASE_URL: databaseSettings.DATABASE_URL.optional(),
  AUTH_SECRET: gatewaySettings.AUTH_SECRET,
  AUTH_ISSUER: gatewaySettings.AUTH_ISSUER,
  AUTH_AUDIENCE: gatewaySettings.AUTH_AUDIENCE,
});

/** Settings of the commands beside the servers: token, migrate. */
export const readCommandConfig = (environment: Environment) => readConfig(commandShape, environment);
