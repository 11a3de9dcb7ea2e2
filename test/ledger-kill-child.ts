/**
 * A process to be killed: streams many answers at once, and tells on standard output what a client has seen of each.
 *
 *     node test/ledger-kill-child.ts embedded <data folder>
 *     node test/ledger-kill-child.ts postgres <connection string>
 */
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '#platform/database.ts';
import { startEmbeddedPostgres } from '#platform/embedded-postgres.ts';
import { migrate } from '#platform/migrate.ts';
import { completion } from '../subgraphs/llm/complete.ts';
import { entities } from '../subgraphs/llm/entities.ts';
import { migrations } from '../subgraphs/llm/migrations/migrations.ts';
import type { Provider, ProviderEvent } from '../subgraphs/llm/providers/provider.ts';
import { asker, buildLlm } from './llm-fixture.ts';

const streams = 40;
const [kind = '', place = ''] = process.argv.slice(2);
const embedded = kind === 'embedded';

/** Synchronous, so that what was told before the kill is not lost in a buffer. */
const tell = (line: string): void => void writeSync(1, `${line}\n`);

async function* answer(tokens: number): AsyncGenerator<ProviderEvent> {
  for (let token = 0; token < tokens; token += 1) {
    yield { type: 'text', text: 'four' };
    await sleep(5);
  }
  yield { type: 'usage', usage: { inputTokens: 10, outputTokens: tokens, cachedInputTokens: 0, reasoningTokens: 0 } };
  yield { type: 'finish', reason: 'stop' };
}
const provider: Provider = {
  name: 'openai',
  complete: () => Promise.reject(new Error('only streams here')),
  stream: (request) => answer(request.maxTokens ?? 1),
  close: async () => {},
};

const connectionString = embedded ? (await startEmbeddedPostgres({ dataFolder: place })).connectionString : place;
const database = await openDatabase({ connectionString, schema: 'llm', entities, poolSizeMax: 4, embedded });
await migrate(database, migrations);
const ledgerSettings = { leaseMs: 1_000, heartbeatIntervalMs: 200, checkpointIntervalMs: 100 };
const llm = await buildLlm(database, provider, {}, ledgerSettings);
tell('ready');

await Promise.all(
  Array.from({ length: streams }, async (_, stream) => {
    for (let round = 0; ; round += 1) {
      // A few long ones, that the kill will find in the middle.
      const maxTokens = stream < 5 ? 100_000 : 1 + ((stream * 7 + round * 13) % 60);
      const input = { model: 'gpt-4o', messages: [{ role: 'USER' as const, content: 'Tell me.' }], maxTokens };
      let id = '';
      let seen = 0;
      for await (const event of await completion(llm, asker(), input)) {
        if (event.__typename === 'CompletionStarted') id = event.id ?? '';
        if (event.__typename === 'CompletionText' && ++seen % 20 === 1) tell(`seen ${id} ${seen}`);
        if (event.__typename === 'CompletionFinished') tell(`finished ${id} ${event.usage?.costUsd}`);
      }
    }
  }),
);
