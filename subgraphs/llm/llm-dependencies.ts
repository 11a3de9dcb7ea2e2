import type { Caller } from '#platform/caller.ts';
import type { Database } from '#platform/database.ts';
import { AppError } from '#platform/errors.ts';
import type { Logger } from '#platform/logging.ts';
import type { LlmMetrics } from './llm-metrics.ts';
import type { ModelCatalogue } from './model-catalogue.ts';
import type { ModelPrices } from './model-prices.ts';
import type { Provider, ProviderName } from './providers/provider.ts';
import type { UsageLedger } from './usage-ledger.ts';

/** What the use cases need, made once by `openLlm`. */
export interface LlmDependencies {
  readonly database: Database;
  readonly ledger: UsageLedger;
  readonly catalogue: ModelCatalogue;
  readonly providers: ReadonlyMap<ProviderName, Provider>;
  readonly prices: ModelPrices;
  readonly metrics: LlmMetrics;
  readonly logger: Logger;
  readonly settings: LlmUseCaseSettings;
}

export interface LlmUseCaseSettings {
  /** How long the answer to one request may take in all, in milliseconds. Default 600,000. */
  readonly requestTimeoutMs: number;
  /** How long a request with an idempotency key goes on without a reader, in milliseconds. Default 1,000. */
  readonly reconnectGraceMs: number;
}

/** Who asks for what, taken from a resolver's context: `microdaoId` and `agentId` are checked by `@access`. */
export interface Asker {
  readonly caller: Caller;
  readonly microdaoId: string;
  readonly agentId: string | undefined;
  readonly requestId: string;
  /** Aborted when the client has left, or its deadline is over. */
  readonly signal: AbortSignal;
}

/** @throws AppError PROVIDER_NOT_CONFIGURED; the catalogue says so first, and better, unless the two were wired apart */
export function providerFor(llm: Pick<LlmDependencies, 'providers'>, name: ProviderName): Provider {
  const provider = llm.providers.get(name);
  if (provider === undefined) throw new AppError('PROVIDER_NOT_CONFIGURED', `The provider ${name} is not configured.`);
  return provider;
}
