import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // As Node resolves it: graphql's ES module copy beside the CommonJS one would be two realms.
  resolve: { alias: [{ find: /^graphql$/, replacement: fileURLToPath(import.meta.resolve('graphql')) }] },
  test: { include: ['**/*.test.ts'], exclude: ['node_modules/**'], testTimeout: 20_000 },
});
