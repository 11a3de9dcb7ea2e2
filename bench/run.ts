/** `npm run bench` runs every benchmark; `npm run bench -- completions --quick` runs one, with its own options. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const benchmarks = {
  completions: 'requests/s, added latency and time to first token, tokens/s, memory; beside Portkey',
  usage: 'llmUsage over a million ledger rows',
  'memory-growth': '100,000 requests, and what memory does meanwhile',
} as const;

const help = `npm run bench [-- <name> [--quick] [--help]]

${Object.entries(benchmarks)
  .map(([name, what]) => `  ${name.padEnd(14)} ${what}`)
  .join('\n')}

Without a name all of them run, one after the other. Everything stays on this machine.
`;

const [first, ...rest] = process.argv.slice(2);
const isName = first !== undefined && Object.hasOwn(benchmarks, first);
if (first !== undefined && !isName && first !== '--quick') {
  console.log(help);
  process.exit(first === '--help' ? 0 : 1);
}
for (const name of isName ? [first] : Object.keys(benchmarks)) {
  const options = isName ? rest : process.argv.slice(2);
  const child = spawn(process.execPath, [join(import.meta.dirname, `${name}.ts`), ...options], { stdio: 'inherit' });
  const [exitCode] = (await once(child, 'exit')) as [number | null];
  if (exitCode !== 0) process.exitCode = 1;
}
