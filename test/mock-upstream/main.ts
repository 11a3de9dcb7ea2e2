/**
 * The mock upstream on its own, as benchmarks use it:
 * `node test/mock-upstream/main.ts --port 4100` prints one line of JSON with its base URLs once it listens.
 */
import { parseArgs } from 'node:util';
import { startMockUpstream } from './server.ts';

const { values } = parseArgs({
  options: { port: { type: 'string', default: '0' }, record: { type: 'boolean', default: false } },
});
const upstream = await startMockUpstream({ port: Number(values.port), recordMax: values.record ? 1000 : 0 });
console.log(
  JSON.stringify({
    url: upstream.url,
    openaiBaseUrl: upstream.openaiBaseUrl,
    anthropicBaseUrl: upstream.anthropicBaseUrl,
  }),
);
const stop = (): void => void upstream.close().then(() => process.exit(0));
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
