/** Whether memory grows: 100,000 completions, whole and streamed in turn, through the embedded layout. */
import { parseArgs } from 'node:util';
import type { LoadPlan, LoadResult } from './load-generator.ts';
import { residentMiB, runScript } from './processes.ts';
import { decimal, markdownTable, whole } from './table.ts';
import { embeddedTarget, servicesTarget, startMock, type Target } from './targets.ts';

const help = `npm run bench -- memory-growth [--quick] [--requests 100000] [--layout embedded|services]

  --quick     5,000 requests
`;

const slices = 10;
const connections = 32;

async function load(target: Target, requests: number, stream: boolean): Promise<LoadResult> {
  const plan: LoadPlan = {
    url: target.url,
    headers: target.headers,
    body: {
      model: `${target.modelPrefix}${stream ? 'stream-20-tokens' : 'gpt-4o-mini'}`,
      messages: [{ role: 'user', content: 'Say hello.' }],
      ...(stream ? { stream: true } : {}),
    },
    connections,
    durationMs: 300_000,
    requestsMax: requests,
  };
  return JSON.parse(await runScript(['bench/load-generator.ts', JSON.stringify(plan)])) as LoadResult;
}

/** Bytes in use by JavaScript, as the process itself reports, or NaN. */
async function heapMiB(target: Target): Promise<number> {
  const response = await fetch(target.url.replace('/v1/chat/completions', '/metrics'));
  const found = /^nodejs_heap_size_used_bytes(?:\{[^}]*\})? ([0-9.e+]+)$/m.exec(await response.text());
  return Number(found?.[1] ?? Number.NaN) / 2 ** 20;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      requests: { type: 'string' },
      layout: { type: 'string', default: 'embedded' },
    },
  });
  if (values.help) return console.log(help);
  const requests = Math.min(Number(values.requests ?? (values.quick ? 5_000 : 100_000)), 10_000_000);
  const mock = await startMock();
  const target = await (values.layout === 'services' ? servicesTarget : embeddedTarget)(mock.baseUrl);
  try {
    const rows: string[][] = [
      ['0', decimal(residentMiB(...target.processes), 0), decimal(await heapMiB(target), 0), '–', '0'],
    ];
    let failures = 0;
    for (let slice = 1; slice <= slices; slice += 1) {
      const results = [
        await load(target, requests / slices / 2, false),
        await load(target, requests / slices / 2, true),
      ];
      failures += results.reduce((sum, result) => sum + result.failures, 0);
      const rate = results.map((result) => whole(result.requestsPerSecond)).join(' / ');
      rows.push([
        whole((requests / slices) * slice),
        decimal(residentMiB(...target.processes), 0),
        decimal(await heapMiB(target), 0),
        rate,
        whole(failures),
      ]);
    }
    console.log(
      `Memory over ${whole(requests)} requests at ${connections} connections, half of them streams: ${target.name}\n`,
    );
    console.log(
      `${markdownTable(['requests', 'resident MiB', 'heap MiB', 'requests/s, whole / streamed', 'failures'], rows)}\n`,
    );
  } finally {
    await target.stop();
    await mock.process.stop();
  }
}

await main();
