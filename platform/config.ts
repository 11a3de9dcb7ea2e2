import { existsSync } from 'node:fs';
import { z } from 'zod';

export interface SettingProblem {
  /** Name of the environment variable. */
  readonly name: string;
  readonly reason: string;
}

/** Every bad setting of a process at once. `main` prints the message and exits with 1. */
export class ConfigError extends Error {
  readonly problems: readonly SettingProblem[];

  constructor(problems: readonly SettingProblem[]) {
    const lines = problems.map(({ name, reason }) => `  ${name}: ${reason}`);
    super(`${problems.length === 1 ? 'A setting is' : `${problems.length} settings are`} wrong:\n${lines.join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** The process's environment; in development an `.env` file in the working directory fills what is not set. */
export function readEnvironment(): Environment {
  if (process.env.NODE_ENV !== 'production' && existsSync('.env')) process.loadEnvFile('.env');
  return process.env;
}

/**
 * Reads settings by a schema whose keys are the variables' names. An empty variable counts as not set.
 *
 * @throws ConfigError with every problem, by name and reason; values are never repeated, they may be secrets
 */
export function readConfig<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  environment: Environment,
): z.output<z.ZodObject<Shape>> {
  const given: Record<string, string> = {};
  for (const name of Object.keys(schema.shape)) {
    const value = environment[name];
    if (value !== undefined && value.trim() !== '') given[name] = value.trim();
  }
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new ConfigError(
    parsed.error.issues.map((issue) => {
      const name = String(issue.path[0] ?? '');
      return { name, reason: given[name] === undefined ? `is required (${issue.message})` : issue.message };
    }),
  );
}

// --- kinds of settings that several parts read -------------------------------------------------------------------

/** An absolute URL of one of the given protocols, such as `http:`; without a trailing slash. */
export const urlSetting = (...protocols: readonly string[]) =>
  z
    .string()
    .refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol), {
      error: `must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
    })
    .transform((value) => value.replace(/\/+$/, ''));

export const integerSetting = (min: number, max: number) =>
  z
    .string()
    .regex(/^-?\d+$/, { error: `must be a whole number from ${min} to ${max}` })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error: `must be a whole number from ${min} to ${max}` });

export const secretSetting = () =>
  z.string().min(16, { error: 'must have at least 16 characters; try `openssl rand -base64 32`' });

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** What every process reads. */
export const processSettings = {
  NODE_ENV: z.string().default('development'),
  PORT: integerSetting(0, 65_535).default(4000),
  HOST: z.string().default('127.0.0.1'),
  LOG_LEVEL: z.enum(logLevels, { error: `must be one of ${logLevels.join(', ')}` }).default('info'),
} as const;

/** Of the processes that keep data. */
export const databaseSettings = {
  DATABASE_URL: urlSetting('postgres:', 'postgresql:'),
} as const;
