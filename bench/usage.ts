/** How long `llmUsage` takes over a million ledger rows, through the gateway, in both layouts. */
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { openDataFolder } from '../platform/data-folder.ts';
import { openDatabase } from '../platform/database.ts';
import { findEmbeddedPostgres, startEmbeddedPostgres } from '../platform/embedded-postgres.ts';
import { createLogger } from '../platform/logging.ts';
import { migrate } from '../platform/migrate.ts';
import { migrations } from '../subgraphs/llm/migrations/migrations.ts';
import { benchMicrodao, fillLedger, isRolledUp } from './ledger-fill.ts';
import { decimal, markdownTable, whole } from './table.ts';
import { embeddedTarget, servicesTarget, type Target } from './targets.ts';

const help = `npm run bench -- usage [--quick] [--rows 1000000] [--only embedded,services]

  --quick  50,000 rows
`;

/** The embedded database without a server around it. */
async function withEmbeddedDatabase(folder: string, work: (connectionString: string) => Promise<void>): Promise<void> {
  const logger = createLogger({ name: 'bench', level: 'warn' });
  const dataFolder = await openDataFolder(folder);
  const postgres = await startEmbeddedPostgres({ dataFolder: dataFolder.path, logger });
  try {
    const { connectionString } = postgres;
    const database = await openDatabase({
      connectionString,
      schema: 'llm',
      entities: [],
      embedded: true,
      poolSizeMax: 1,
      logger,
    });
    await migrate(database, migrations);
    await database.close();
    await work(connectionString);
  } finally {
    await postgres.close();
    await dataFolder.close();
  }
}

const queries: Readonly<Record<string, string>> = {
  'totals of 30 days': `llmUsage(microdaoId: "${benchMicrodao}", period: "30d") { totals { requests costUsd latencyMsP95 } }`,
  'by day, 30 days': `llmUsage(microdaoId: "${benchMicrodao}", period: "30d") { groups(by: DAY) { key requests costUsd } }`,
  'by model, 30 days': `llmUsage(microdaoId: "${benchMicrodao}", period: "30d") { totals { requests } groups(by: MODEL) { key costUsd errorRate } }`,
  'by agent, 7 days': `llmUsage(microdaoId: "${benchMicrodao}", period: "7d") { groups(by: AGENT) { key costUsd } }`,
  'one agent by hour, 24 hours': `llmUsage(microdaoId: "${benchMicrodao}", period: "24h", filter: { agentId: "agent:a5" }) { groups(by: HOUR) { key requests } }`,
};

async function timeQuery(target: Target, selection: string): Promise<number> {
  const startedAt = performance.now();
  const response = await fetch(target.url.replace('/v1/chat/completions', '/graphql'), {
    method: 'POST',
    headers: { ...target.headers, 'content-type': 'application/json', 'x-request-id': randomUUID() },
    body: JSON.stringify({ query: `query { ${selection} }` }),
  });
  const answer = (await response.json()) as { errors?: { message: string }[] };
  if (answer.errors !== undefined) throw new Error(answer.errors[0]?.message);
  return performance.now() - startedAt;
}

async function measure(target: Target, times: number): Promise<string[]> {
  const cells: string[] = [];
  for (const selection of Object.values(queries)) {
    const taken: number[] = [];
    for (let time = 0; time < times; time += 1) taken.push(await timeQuery(target, selection));
    taken.sort((a, b) => a - b);
    const at = (share: number): string =>
      decimal(taken[Math.min(times - 1, Math.floor(times * share))] ?? Number.NaN, 1);
    cells.push(`${at(0.5)} / ${at(0.95)}`);
  }
  return cells;
}

async function waitForRollup(connectionString: string): Promise<boolean> {
  for (let second = 0; second < 300; second += 1) {
    if (await isRolledUp(connectionString)) return true;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  return false;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      rows: { type: 'string' },
      only: { type: 'string', default: 'embedded,services' },
    },
  });
  if (values.help) return console.log(help);
  const rows = Math.min(Number(values.rows ?? (values.quick ? 50_000 : 1_000_000)), 10_000_000);
  const rowsOfTable: string[][] = [];
  for (const layout of values.only.split(',')) {
    let connectionString = '';
    let dataFolder = '';
    const start = layout === 'embedded' ? embeddedTarget : servicesTarget;
    let target: Target;
    try {
      target = await start('http://127.0.0.1:9/v1', async (folderOrUrl) => {
        const startedAt = performance.now();
        if (layout === 'embedded') {
          dataFolder = folderOrUrl;
          await withEmbeddedDatabase(folderOrUrl, (url) => fillLedger(url, rows));
        } else {
          connectionString = folderOrUrl;
          await fillLedger(connectionString, rows);
        }
        console.error(`${layout}: ${whole(rows)} rows in ${whole((performance.now() - startedAt) / 1000)} s`);
      });
    } catch (error) {
      console.error(`Not measured: ${layout}: ${(error as Error).message}`);
      continue;
    }
    try {
      if (layout === 'embedded') connectionString = (await findEmbeddedPostgres(dataFolder)) ?? '';
      rowsOfTable.push([`${layout}, nothing rolled up yet`, ...(await measure(target, 5))]);
      console.error(`${layout}: waiting for the roll-up`);
      if (await waitForRollup(connectionString)) rowsOfTable.push([layout, ...(await measure(target, 50))]);
      else console.error(`${layout}: not rolled up within five minutes`);
    } finally {
      await target.stop();
    }
  }
  console.log(`llmUsage over ${whole(rows)} ledger rows, a fifth of them the asked microDAO's; p50 / p95 ms\n`);
  console.log(`${markdownTable(['layout', ...Object.keys(queries)], rowsOfTable)}\n`);
}

await main();
