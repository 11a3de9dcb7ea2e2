import { beforeAll, describe, expect, it } from 'vitest';
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

/** A repository that keeps every rule. */
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

/** Each file breaks a rule; all of them are put into one folder beside the sound ones. */
const breaks: readonly (readonly [rule: string, file: string, content: string])[] = [
  ['no-cycles', 'subgraphs/llm/usage-cost.ts', "import './usage-ledger-rows.ts';"],
  ['no-cycles', 'subgraphs/llm/usage-ledger-rows.ts', "import './usage-cost.ts';"],
  ['no-unresolvable', 'platform/x1.ts', "import '#platform/missing.ts';"],
  ['subgraphs-stand-alone', 'subgraphs/llm/x1.ts', "import '../memory/recall.ts';"],
  ['subgraphs-stand-alone', 'subgraphs/llm/x2.ts', "import '../../gateway/gateway.ts';"],
  ['gateway-knows-no-subgraph', 'gateway/x1.ts', "import type { recall } from '../subgraphs/memory/recall.ts';"],
  ['agent-runtime-is-a-client', 'agent-runtime/x1.ts', "import '../gateway/gateway.ts';"],
  ['platform-knows-no-domain', 'platform/x2.ts', "import '../subgraphs/memory/recall.ts';"],
  ['main-is-imported-by-nobody-below', 'gateway/x2.ts', "import './main.ts';"],
  ['resolvers-are-wired-by-main', 'subgraphs/llm/x3.ts', "import './resolvers.ts';"],
  ['resolvers-hold-no-sql-and-no-sdk', 'subgraphs/memory/resolvers.ts', "import 'pg'; export const resolvers = 1;"],
  ['stores-know-no-use-case', 'subgraphs/llm/idempotency.ts', "import './complete.ts';"],
  ['use-cases-know-no-resolver', 'subgraphs/llm/embed.ts', "import './resolvers.ts';"],
  ['config-is-read-by-main', 'subgraphs/llm/x4.ts', "import './config.ts';"],
  ['no-test-code-in-production', 'platform/x3.ts', "import '#test/fixtures.ts';"],
  ['no-dev-dependency-in-production', 'platform/x4.ts', "import 'vitest';"],
  ['one-file-imports-openai', 'gateway/x3.ts', "import 'openai';"],
  ['one-file-imports-anthropic-ai-sdk', 'gateway/x4.ts', "import '@anthropic-ai/sdk';"],
];

describe('who may import whom', () => {
  let found: string[] = [];

  beforeAll(async () => {
    using folder = fixtureFolder({
      ...sound,
      ...Object.fromEntries(breaks.map(([, file, content]) => [file, content])),
    });
    found = await violations(folder.path);
  });

  it('is kept by this repository', async () => {
    expect(await violations(repositoryRoot)).toEqual([]);
  });

  it('finds nothing in a sound repository', async () => {
    using folder = fixtureFolder(sound);
    expect(await violations(folder.path)).toEqual([]);
  });

  it.each(breaks)('%s is seen to fail on %s: %s', (rule, file) => {
    expect(found).toContainEqual(expect.stringMatching(`^${rule}: .*${file}`));
  });
});
