import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';
import { CountReporter } from './test/count-reporter.ts';

export default defineConfig({
  // As Node resolves it: graphql's ES module copy beside the CommonJS one would be two realms.
  resolve: { alias: [{ find: /^graphql$/, replacement: fileURLToPath(import.meta.resolve('graphql')) }] },
  test: {
    reporters: ['default', new CountReporter()],
    // Own processes: suites start databases, workers and servers, and one that crashes must not take others along.
    pool: 'forks',
    // Suites of two cores' worth; more would make the waits inside them longer than their deadlines.
    maxWorkers: 2,
    testTimeout: 20_000,
    // The embedded Postgres needs 3 s alone and several times that beside other suites.
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['**/*.test.ts'],
          exclude: [...configDefaults.exclude, 'data/**', 'test/{embedded,services,e2e}/**'],
        },
      },
      { extends: true, test: { name: 'embedded', include: ['test/embedded/**/*.test.ts'], testTimeout: 60_000 } },
      { extends: true, test: { name: 'services', include: ['test/services/**/*.test.ts'], testTimeout: 60_000 } },
      {
        extends: true,
        test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 },
      },
    ],
  },
});
