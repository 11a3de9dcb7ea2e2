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

/** What the gateway reads in both layouts. */
export const gatewaySettings = {
  AUTH_SECRET: secretSetting().optional(),
  AUTH_JWKS_URL: urlSetting('http:', 'https:').optional(),
  AUTH_ISSUER: z.string().optional(),
  AUTH_AUDIENCE: z.string().optional(),
  /** Bytes of the largest request body. */
  BODY_LIMIT_BYTES: integerSetting(1_024, 1_073_741_824).default(10 * 1024 * 1024),
  /** How long one answer of a subgraph may take; completions are long. */
  SUBGRAPH_TIMEOUT_MS: integerSetting(100, 3_600_000).default(600_000),
} as const;

const gatewayShape = z.object(gatewaySettings);
export type GatewayConfig = z.output<typeof gatewayShape>;

const serviceShape = z.object({
  ...processSettings,
  ...databaseSettings,
  ...gatewaySettings,
  INTERNAL_SECRET: secretSetting(),
  LLM_URL: urlSetting('http:', 'https:'),
});

/** Settings of `npm run start:gateway`. @throws ConfigError with every bad one */
export const readGatewayServiceConfig = (environment: Environment) => readConfig(serviceShape, environment);
