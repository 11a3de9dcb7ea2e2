import { beforeAll, describe, expect, it } from 'vitest';
import { fixtureFolder, runTool } from './run-tool.ts';
import { repositoryRoot } from './source-files.ts';

const config = `${repositoryRoot}/.oxlintrc.json`;

/** The rules the repository relies on beyond correctness; each is shown a file that breaks it. */
const breaks: readonly (readonly [rule: string, file: string, content: string])[] = [
  ['import(no-default-export)', 'platform/x1.ts', 'export default 1;'],
  ['node(no-process-env)', 'platform/x2.ts', "export const port = process.env['PORT'];"],
  ['oxc(no-barrel-file)', 'platform/index.ts', "export * from './config.ts';"],
  ['eslint(no-console)', 'platform/x3.ts', "console.log('seen');"],
  // Spelled in two pieces, so that the rule does not find it here.
  ['eslint(no-warning-comments)', 'platform/x4.ts', `// ${'TO'}${'DO'}: later\nexport const x = 1;`],
  ['vitest(no-focused-tests)', 'platform/x.test.ts', "import { it } from 'vitest';\nit.only('alone', () => {});"],
  ['typescript(no-explicit-any)', 'platform/x5.ts', 'export const x = (y: any) => y;'],
  ['typescript(no-non-null-assertion)', 'platform/x6.ts', 'export const x = (y?: string) => y!;'],
  ['typescript(consistent-type-imports)', 'platform/x7.ts', "import { Y } from './y.ts';\nexport type X = Y;"],
  ['unicorn(prefer-node-protocol)', 'platform/x8.ts', "import 'fs';"],
];

describe('lint rules', () => {
  let found: string[] = [];

  beforeAll(async () => {
    using folder = fixtureFolder(Object.fromEntries(breaks.map(([, file, content]) => [file, content])));
    const { output } = await runTool('oxlint', ['--config', config, '--format', 'unix', '.'], folder.path);
    found = output.split('\n');
  });

  it.each(breaks)('%s is seen to fail on %s: %s', (rule, file) => {
    expect(found.some((line) => line.startsWith(`${file}:`) && line.includes(rule))).toBe(true);
  });

  it('let config.ts read the environment', async () => {
    using folder = fixtureFolder({ 'gateway/config.ts': "export const port = process.env['PORT'];" });
    const { exitCode, output } = await runTool('oxlint', ['--config', config, '.'], folder.path);
    expect([exitCode, output]).toEqual([0, expect.any(String)]);
  });
});
