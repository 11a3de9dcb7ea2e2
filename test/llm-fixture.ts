/** For tests of this folder: the subgraph's parts on a fresh database, with a provider that follows a script. */
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { openDatabase, type Database } from '#platform/database.ts';
import { migrate } from '#platform/migrate.ts';
import { openTestDatabase, type TestDatabase, type TestDatabaseName } from './test-database.ts';
import type { CompletionDependencies } from '../subgraphs/llm/complete.ts';
import type { SharedCompletion } from '../subgraphs/llm/completion-share.ts';
import { createEmbeddingCache, type EmbedAnswer, type EmbedDependencies } from '../subgraphs/llm/embed.ts';
import { entities } from '../subgraphs/llm/entities.ts';
import { Idempotency } from '../subgraphs/llm/idempotency.ts';
import type { SharedAnswer } from '../subgraphs/llm/idempotency-share.ts';
import type { Asker, LlmUseCaseSettings } from '../subgraphs/llm/llm-dependencies.ts';
import { createLlmMetrics } from '../subgraphs/llm/llm-metrics.ts';
import { migrations } from '../subgraphs/llm/migrations/migrations.ts';
import { createModelCatalogue } from '../subgraphs/llm/model-catalogue.ts';
import { loadModels } from '../subgraphs/llm/model-catalogue-file.ts';
import { ModelPrices } from '../subgraphs/llm/model-prices.ts';
import type { Provider } from '../subgraphs/llm/providers/provider.ts';
import { UsageLedger, type LedgerSettings } from '../subgraphs/llm/usage-ledger.ts';
import type { Intent } from '../subgraphs/llm/usage-ledger-rows.ts';

export const silentLogger = pino({ level: 'silent' });
export const microdaoId = 'microdao:daarion';

export interface LlmFixture {
  readonly database: Database;
  readonly llm: TestLlm;
  /** Another process on the same database: own ledger, own memory of running requests. */
  another(): Promise<TestLlm>;
  close(): Promise<void>;
}

/** Opens a migrated database; closing it deletes it. */
export async function openMigrated(
  name: TestDatabaseName,
): Promise<{ database: Database; server: TestDatabase; close: () => Promise<void> }> {
  const server = await openTestDatabase(name);
  const { connectionString, embedded } = server;
  const database = await openDatabase({ connectionString, schema: 'llm', entities, poolSizeMax: 8, embedded });
  await migrate(database, migrations);
  const close = async () => {
    await database.close();
    await server.close();
  };
  return { database, server, close };
}

export type TestLlm = CompletionDependencies & EmbedDependencies;

/** The use cases' dependencies on a migrated database, as a process of its own would have them. */
export async function buildLlm(
  database: Database,
  provider: Provider,
  settings: Partial<LlmUseCaseSettings> = {},
  ledgerSettings: LedgerSettings & { readonly takeOverAll?: boolean } = {},
): Promise<TestLlm & { close: () => Promise<void> }> {
  const prices = await ModelPrices.open({ database, logger: silentLogger });
  const ledger = new UsageLedger(database, silentLogger, ledgerSettings);
  await ledger.start({ takeOverAll: ledgerSettings.takeOverAll ?? false });
  return {
    database,
    ledger,
    prices,
    providers: new Map([[provider.name, provider]]),
    catalogue: createModelCatalogue({
      models: loadModels(),
      configuredProviders: [provider.name],
      priceOverride: (vendor, model) => prices.get(vendor, model),
    }),
    metrics: createLlmMetrics(new Registry(), () => ledger.openRequests),
    logger: silentLogger,
    settings: { requestTimeoutMs: 10_000, reconnectGraceMs: 100, ...settings },
    completions: new Idempotency<SharedCompletion>(database),
    embeddings: new Idempotency<SharedAnswer<EmbedAnswer>>(database),
    embeddingCache: createEmbeddingCache(),
    async close() {
      await ledger.close();
      await prices.close();
    },
  };
}

export async function openLlmFixture(
  name: TestDatabaseName,
  provider: Provider,
  settings: Partial<LlmUseCaseSettings> = {},
): Promise<LlmFixture> {
  const { database, close } = await openMigrated(name);
  const processes: { close: () => Promise<void> }[] = [];
  const another = async (): Promise<TestLlm> => {
    const llm = await buildLlm(database, provider, settings);
    processes.push(llm);
    return llm;
  };
  return {
    database,
    llm: await another(),
    another,
    async close() {
      await Promise.all(processes.map((llm) => llm.close()));
      await close();
    },
  };
}

export const intent = (overrides: Partial<Intent> = {}): Intent => ({
  requestId: 'request-1',
  kind: 'COMPLETION',
  microdaoId,
  agentId: 'agent:sofia',
  subject: 'service:test',
  actor: null,
  requestedModel: 'gpt-4o',
  provider: 'openai',
  model: 'gpt-4o',
  price: { inputUsd: '2.5', outputUsd: '10', cachedInputUsd: '1.25' },
  priceVersion: 'v1',
  inputChars: 400,
  ...overrides,
});

export const asker = (overrides: Partial<Asker> = {}): Asker => ({
  caller: { subject: 'service:test', admin: false, memberships: [{ microdaoId, role: 'service' }] },
  microdaoId,
  agentId: 'agent:sofia',
  requestId: 'request-1',
  signal: new AbortController().signal,
  ...overrides,
});
