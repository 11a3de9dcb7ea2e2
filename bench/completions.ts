/**
 * What a completion costs on its way: against a mock upstream that answers at once, side by side with the upstream
 * called directly and with @portkey-ai/gateway. Every server runs in processes of its own on this machine; rounds
 * visit all of them in turn, so that a busy moment of the machine meets each; the table holds medians over rounds.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import type { LoadPlan, LoadResult } from './load-generator.ts';
import { residentMiB, runScript } from './processes.ts';
import { decimal, markdownTable, median, whole } from './table.ts';
import {
  directTarget,
  embeddedTarget,
  portkeyTarget,
  servicesTarget,
  startMock,
  type StartTarget,
  type Target,
} from './targets.ts';

const help = `npm run bench -- completions [--quick] [--only direct,portkey,embedded,services] [--rounds 5] [--seconds 5]

  --quick    one round of 2 s cells
  --only     some of the servers; direct is always measured, the others are compared to it
  --rounds   how often each server is measured; the table holds medians
  --seconds  length of one measurement, at most 10
`;

const starters: Readonly<Record<string, StartTarget>> = {
  direct: directTarget,
  portkey: portkeyTarget,
  embedded: embeddedTarget,
  services: servicesTarget,
};

/** One kind of load; model names are the mock upstream's. */
const cells = {
  answers: { connections: 32, model: 'gpt-4o-mini', stream: false },
  /** 32 readers of streams at the pace of a model. */
  readers: { connections: 32, model: 'stream-50-tokens-10ms', stream: true },
  /** One reader on an idle server: what the path itself adds. */
  reader: { connections: 1, model: 'stream-5-tokens', stream: true },
  /** As fast as it goes. */
  flood: { connections: 32, model: 'stream-100-tokens', stream: true },
} as const;
type Cell = keyof typeof cells;

/** What failed was not measured: it shows as a dash. */
const failed = {
  requestsPerSecond: Number.NaN,
  latencyMsP50: Number.NaN,
  latencyMsP99: Number.NaN,
  firstTokenMsP50: Number.NaN,
  firstTokenMsP99: Number.NaN,
  tokensPerSecond: Number.NaN,
} as const satisfies Partial<LoadResult>;

async function measure(target: Target, cell: Cell, durationMs: number): Promise<LoadResult> {
  const { connections, model, stream } = cells[cell];
  const plan: LoadPlan = {
    url: target.url,
    headers: target.headers,
    body: {
      model: `${target.modelPrefix}${model}`,
      messages: [{ role: 'user', content: 'Say hello.' }],
      ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
    },
    connections,
    durationMs,
  };
  const result = JSON.parse(await runScript(['bench/load-generator.ts', JSON.stringify(plan)])) as LoadResult;
  if (result.failures === 0) return result;
  console.error(`${target.name}: ${result.failures} of ${result.requests} failed: ${result.firstFailure}`);
  process.exitCode = 1;
  return { ...result, ...failed };
}

async function startTargets(names: readonly string[], mockBaseUrl: string): Promise<Target[]> {
  const targets: Target[] = [];
  for (const name of names) {
    const start = starters[name];
    if (start === undefined) throw new Error(`There is no server ${name}; known: ${Object.keys(starters).join(', ')}`);
    try {
      targets.push(await start(mockBaseUrl));
    } catch (error) {
      console.error(`Not measured: ${name}: ${(error as Error).message}`);
    }
  }
  return targets;
}

type Results = Map<Target, Record<Cell, LoadResult>[]>;

function printTable(results: Results, memory: ReadonlyMap<Target, number>): void {
  const [direct] = results.values();
  const over = (
    rounds: readonly Record<Cell, LoadResult>[],
    cell: Cell,
    read: (result: LoadResult) => number | null,
  ): number => median(rounds.map((round) => read(round[cell]) ?? Number.NaN));
  const added = (
    rounds: readonly Record<Cell, LoadResult>[],
    cell: Cell,
    read: (result: LoadResult) => number | null,
  ): string =>
    rounds === direct
      ? '0'
      : decimal(
          median(
            rounds.map(
              (round, index) => (read(round[cell]) ?? Number.NaN) - (read((direct?.[index] ?? round)[cell]) ?? 0),
            ),
          ),
        );
  const rows = [...results].map(([target, rounds]) => [
    target.name,
    whole(over(rounds, 'answers', (result) => result.requestsPerSecond)),
    added(rounds, 'answers', (result) => result.latencyMsP50),
    added(rounds, 'answers', (result) => result.latencyMsP99),
    added(rounds, 'reader', (result) => result.firstTokenMsP50),
    added(rounds, 'readers', (result) => result.firstTokenMsP50),
    added(rounds, 'readers', (result) => result.firstTokenMsP99),
    whole(over(rounds, 'flood', (result) => result.tokensPerSecond)),
    target.processes.length === 0 ? '–' : whole(memory.get(target) ?? Number.NaN),
  ]);
  const header = [
    'server',
    'requests/s',
    'added p50 ms',
    'added p99 ms',
    'first token, 1 reader, added ms',
    '32 readers, added p50 ms',
    'p99 ms',
    'streamed tokens/s',
    'memory MiB',
  ];
  console.log(`\n${markdownTable(header, rows)}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: Object.keys(starters).join(',') },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
    },
  });
  if (values.help) return console.log(help);
  const rounds = Math.min(Number(values.rounds ?? (values.quick ? 1 : 5)), 50);
  const durationMs = Math.min(Number(values.seconds ?? (values.quick ? 2 : 5)), 10) * 1000;
  const mock = await startMock();
  const names = ['direct', ...values.only.split(',').filter((name) => name !== 'direct')];
  const targets = await startTargets(names, mock.baseUrl);
  try {
    const results: Results = new Map(targets.map((target) => [target, []]));
    for (const target of targets) for (const cell of ['answers', 'flood'] as const) await measure(target, cell, 2_000);
    for (let round = 1; round <= rounds; round += 1) {
      for (const target of targets) {
        const measured: Partial<Record<Cell, LoadResult>> = {};
        for (const cell of Object.keys(cells) as Cell[]) {
          const length = cell === 'reader' ? Math.min(durationMs, 2_000) : durationMs;
          measured[cell] = await measure(target, cell, length);
        }
        results.get(target)?.push(measured as Record<Cell, LoadResult>);
      }
      console.error(`round ${round} of ${rounds} done`);
    }
    const memory = new Map(targets.map((target) => [target, residentMiB(...target.processes)]));
    console.log(
      `Completions, 32 connections, ${rounds} × ${durationMs / 1000} s, ${cpus().length} cores (${cpus()[0]?.model ?? ''}), Node ${process.version}`,
    );
    printTable(results, memory);
  } finally {
    for (const target of targets) await target.stop();
    await mock.process.stop();
  }
}

await main();
