import { describe, expect, it } from 'vitest';
import { fixtureFolder, runTool } from './run-tool.ts';
import { repositoryRoot } from './source-files.ts';

const config = `${repositoryRoot}/.dependency-cruiser.cjs`;

interface Violation {
  readonly from: string;
  readonly to: string;
  readonly rule: { readonly name: string };
}

async function violations(folder: string): Promise<string[]> {
  const { output } = await runTool('depcruise', ['--config', config, '--output-type', 'json', '.'], folder);
  const { summary } = JSON.parse(output.slice(output.indexOf('{'))) as { summary: { violations: Violation[] } };
  return summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`);
}

/** A repository that keeps every rule; each case below adds one file that breaks one. */
const sound: Readonly<Record<string, string>> = {
  'package.json': JSON.stringify({
    name: 'fixture',
    type: 'module',
    imports: { '#platform/*': './platform/*', '#test/*': './test/*' },
    dependencies: { pg: '1', openai: '1', '@anthropic-ai/sdk': '1' },
    devDependencies: { vitest: '1' },
  }),
  'tsconfig.json': '{"compilerOptions":{"module":"nodenext","allowImportingTsExtensions":true,"noEmit":true}}',
  'platform/database.ts': "import 'pg'; export const database = 1;",
  'gateway/gateway.ts': "import '#platform/database.ts'; export const gateway = 1;",
  'gateway/main.ts': "import './gateway.ts'; export const main = 1;",
  'subgraphs/llm/config.ts': 'export const config = 1;',
  'subgraphs/llm/usage-ledger.ts': "import '#platform/database.ts'; export const ledger = 1;",
  'subgraphs/llm/complete.ts': "import './usage-ledger.ts'; export const complete = 1;",
  'subgraphs/llm/resolvers.ts': "import './complete.ts'; export const resolvers = 1;",
  'subgraphs/llm/main.ts': "import './config.ts'; import './resolvers.ts'; export const main = 1;",
  'subgraphs/memory/recall.ts': 'export const recall = 1;',
  'test/fixtures.ts': 'export const fixtures = 1;',
  'main.ts': "import './gateway/gateway.ts'; import './subgraphs/llm/resolvers.ts'; export const main = 1;",
  ...Object.fromEntries(
    ['pg', 'openai', '@anthropic-ai/sdk', 'vitest'].flatMap((name) => [
      [`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' })],
      [`node_modules/${name}/index.js`, 'module.exports = {};'],
    ]),
  ),
};

const breaks: readonly (readonly [rule: string, file: string, content: string])[] = [
  ['no-cycles', 'subgraphs/llm/usage-ledger.ts', "import './complete.ts'; export const ledger = 1;"],
  ['no-unresolvable', 'platform/x.ts', "import '#platform/missing.ts';"],
  ['subgraphs-stand-alone', 'subgraphs/llm/x.ts', "import '../memory/recall.ts';"],
  ['subgraphs-stand-alone', 'subgraphs/llm/x.ts', "import '../../gateway/gateway.ts';"],
  ['gateway-knows-no-subgraph', 'gateway/x.ts', "import type { recall } from '../subgraphs/memory/recall.ts';"],
  ['agent-runtime-is-a-client', 'agent-runtime/x.ts', "import '../gateway/gateway.ts';"],
  ['platform-knows-no-domain', 'platform/x.ts', "import '../subgraphs/memory/recall.ts';"],
  ['main-is-imported-by-nobody-below', 'gateway/x.ts', "import './main.ts';"],
  ['resolvers-are-wired-by-main', 'subgraphs/llm/x.ts', "import './resolvers.ts';"],
  ['resolvers-hold-no-sql-and-no-sdk', 'subgraphs/llm/resolvers.ts', "import 'pg'; export const resolvers = 1;"],
  ['stores-know-no-use-case', 'subgraphs/llm/idempotency.ts', "import './complete.ts';"],
  ['use-cases-know-no-resolver', 'subgraphs/llm/embed.ts', "import './resolvers.ts';"],
  ['config-is-read-by-main', 'subgraphs/llm/x.ts', "import './config.ts';"],
  ['no-test-code-in-production', 'platform/x.ts', "import '#test/fixtures.ts';"],
  ['no-dev-dependency-in-production', 'platform/x.ts', "import 'vitest';"],
  ['one-file-imports-openai', 'gateway/x.ts', "import 'openai';"],
  ['one-file-imports-anthropic-ai-sdk', 'gateway/x.ts', "import '@anthropic-ai/sdk';"],
];

describe('who may import whom', () => {
  it('is kept by this repository', async () => {
    expect(await violations(repositoryRoot)).toEqual([]);
  });

  it('finds nothing in a sound repository', async () => {
    using folder = fixtureFolder(sound);
    expect(await violations(folder.path)).toEqual([]);
  });

  it.each(breaks)('%s is seen to fail on %s: %s', async (rule, file, content) => {
    using folder = fixtureFolder({ ...sound, [file]: content });
    expect(await violations(folder.path)).toContainEqual(expect.stringMatching(`^${rule}: .*${file}`));
  });
});
