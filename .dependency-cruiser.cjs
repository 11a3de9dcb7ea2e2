/**
 * Who may import whom: docs/architecture.md, "Folders". `npm run check:boundaries` and a test run these rules, and
 * test/repository/boundaries.test.ts shows each of them failing on a file that breaks it.
 */
const production = '^(platform|gateway|subgraphs|agent-runtime)/|^(main|migrate|token)\\.ts$';
// Fixtures beside the source are called …-test-….ts.
const testCode = '^(test|bench)/|-test-[a-z-]*\\.ts$|\\.test\\.ts$|\\.contract\\.ts$|^vitest\\.config\\.ts$';

/** Verbs: what a subgraph can be asked to do. They use stores and adapters, which know nothing of them. */
const useCases = '^subgraphs/llm/(complete|completion|embed|usage|requests|models)\\.ts$';
/** Nouns: what holds or reaches something. */
const storesAndAdapters =
  '^subgraphs/[^/]+/(providers|migrations)/|' +
  '^subgraphs/[^/]+/(entities|usage-ledger|usage-cost|usage-rollup|model-prices|idempotency|model-catalogue|embedding)[a-z-]*\\.ts$';

const sqlDrivers = '^node_modules/(pg|@mikro-orm|@electric-sql)/';

/** A vendor's SDK is imported by one file, so that replacing it is a change of one file. */
const vendorSdks = {
  openai: '^subgraphs/llm/providers/openai-client\\.ts$',
  '@anthropic-ai/sdk': '^subgraphs/llm/providers/anthropic-client\\.ts$',
  '@energetic-ai': '^subgraphs/llm/embedding-worker-main\\.ts$',
  '@pydantic/genai-prices': '^subgraphs/llm/model-catalogue-prices\\.ts$',
  'gpt-tokenizer': '^subgraphs/llm/',
  '@electric-sql': '^platform/embedded-postgres',
};

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Two files that import each other are one file with a hidden border.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolvable',
      comment: 'Imports name what is there.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'subgraphs-stand-alone',
      comment: 'A subgraph asks another one through platform/supergraph-client.ts, never by import.',
      severity: 'error',
      from: { path: '^subgraphs/([^/]+)/', pathNot: testCode },
      to: { path: '^(subgraphs|gateway|agent-runtime)/', pathNot: '^subgraphs/$1/' },
    },
    {
      name: 'gateway-knows-no-subgraph',
      comment: 'The gateway knows subgraphs by their schema and a transport.',
      severity: 'error',
      from: { path: '^gateway/', pathNot: testCode },
      to: { path: '^(subgraphs|agent-runtime)/' },
    },
    {
      name: 'agent-runtime-is-a-client',
      comment: 'The agent-runtime is a client of the supergraph.',
      severity: 'error',
      from: { path: '^agent-runtime/', pathNot: testCode },
      to: { path: '^(subgraphs|gateway)/' },
    },
    {
      name: 'platform-knows-no-domain',
      comment: 'platform/ is what at least two processes need; it imports none of them.',
      severity: 'error',
      from: { path: '^platform/' },
      to: { path: '^(subgraphs|gateway|agent-runtime|test/e2e|bench)/|^(main|migrate|token|generate)\\.ts$' },
    },
    {
      name: 'main-is-imported-by-nobody-below',
      comment: 'main.ts wires a process; only the embedded main.ts may import parts of another wiring.',
      severity: 'error',
      from: { path: '^(platform|gateway|subgraphs|agent-runtime)/', pathNot: testCode },
      to: { path: '(^|/)main\\.ts$' },
    },
    {
      name: 'resolvers-are-wired-by-main',
      comment: 'main → resolvers → use cases → stores and adapters → platform.',
      severity: 'error',
      from: { path: production, pathNot: ['(^|/)main\\.ts$', '(^|/)wiring\\.ts$', testCode] },
      to: { path: '^subgraphs/[^/]+/resolvers\\.ts$' },
    },
    {
      name: 'resolvers-hold-no-sql-and-no-sdk',
      comment: 'A resolver takes arguments, calls one use case and maps the result.',
      severity: 'error',
      from: { path: '^subgraphs/[^/]+/resolvers\\.ts$' },
      to: { path: [sqlDrivers, ...Object.keys(vendorSdks).map((name) => `^node_modules/${name}/`)] },
    },
    {
      name: 'stores-know-no-use-case',
      comment: 'main → resolvers → use cases → stores and adapters → platform.',
      severity: 'error',
      from: { path: storesAndAdapters, pathNot: testCode },
      to: { path: [useCases, '^subgraphs/[^/]+/(resolvers|config)\\.ts$'] },
    },
    {
      name: 'use-cases-know-no-resolver',
      comment: 'main → resolvers → use cases → stores and adapters → platform.',
      severity: 'error',
      from: { path: useCases, pathNot: testCode },
      to: { path: '^subgraphs/[^/]+/resolvers\\.ts$' },
    },
    {
      name: 'config-is-read-by-main',
      comment: 'Values travel as arguments; config.ts is for the wiring (its types for whoever names them).',
      severity: 'error',
      from: { path: production, pathNot: ['(^|/)(main|wiring|config)\\.ts$', '^(migrate|token)\\.ts$', testCode] },
      to: { path: '^(gateway|subgraphs/[^/]+|agent-runtime)/config\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-test-code-in-production',
      severity: 'error',
      comment: 'What runs in production does not need the tests.',
      from: { path: production, pathNot: testCode },
      to: { path: testCode },
    },
    {
      name: 'no-dev-dependency-in-production',
      severity: 'error',
      comment: 'A package that production imports is a dependency.',
      from: { path: production, pathNot: testCode },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only', 'npm'] },
    },
    ...Object.entries(vendorSdks).map(([name, owner]) => ({
      name: `one-file-imports-${name.replace('@', '').replace('/', '-')}`,
      comment: `${name} is imported by one place, so that replacing it is a change of one place.`,
      severity: 'error',
      from: { path: production, pathNot: [owner, testCode] },
      to: { path: `^node_modules/${name}/` },
    })),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(data|docs|coverage)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
