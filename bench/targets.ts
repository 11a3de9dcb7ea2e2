import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { startPostgresCluster } from './postgres-cluster.ts';
import { answers, freePort, repositoryRoot, runScript, startProcess, type RunningProcess } from './processes.ts';

/** A server under load, reached by OpenAI's chat completions. */
export interface Target {
  readonly name: string;
  /** `…/chat/completions`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Put before the mock's model names: ours routes by it. */
  readonly modelPrefix: '' | 'openai/';
  /** Whose memory counts; databases in processes of their own do not. */
  readonly processes: readonly RunningProcess[];
  stop(): Promise<void>;
}

/**
 * @param prepare called before the servers start, with the data folder or the URL of the migrated database
 */
export type StartTarget = (mockBaseUrl: string, prepare?: (folderOrUrl: string) => Promise<void>) => Promise<Target>;

const cacheImport = ['--import', './platform/compile-cache.ts'];
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

/** OpenAI's wire format, answered at once, in a process of its own. */
export async function startMock(): Promise<{ readonly baseUrl: string; readonly process: RunningProcess }> {
  const port = await freePort();
  const baseUrl = `http://127.0.0.1:${port}/v1`;
  const process = await startProcess({
    args: ['test/mock-upstream/main.ts', '--port', String(port)],
    ready: () => answers(`${baseUrl}/models`),
  });
  return { baseUrl, process };
}

export const directTarget: StartTarget = async (mockBaseUrl) => ({
  name: 'upstream, called directly',
  url: `${mockBaseUrl}/chat/completions`,
  headers: bearer('mock'),
  modelPrefix: '',
  processes: [],
  stop: async () => {},
});

const portkeyVersion = '1.15.2';

/**
 * `@portkey-ai/gateway` from npm, kept in a cache outside package.json. It trusts loopback hosts as
 * `x-portkey-custom-host` by default (TRUSTED_CUSTOM_HOSTS), so it needs no settings; it neither checks a token nor
 * keeps a ledger.
 */
export const portkeyTarget: StartTarget = async (mockBaseUrl) => {
  const prefix = join(repositoryRoot, 'node_modules', '.cache', 'bench', 'portkey');
  const packageFolder = join(prefix, 'node_modules', '@portkey-ai', 'gateway');
  const installed = join(packageFolder, 'package.json');
  if (!existsSync(installed) || !readFileSync(installed, 'utf8').includes(`"version": "${portkeyVersion}"`)) {
    mkdirSync(prefix, { recursive: true });
    const flags = ['--prefix', prefix, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts'];
    const result = spawnSync('npm', ['install', ...flags, `@portkey-ai/gateway@${portkeyVersion}`], {
      encoding: 'utf8',
    });
    if (result.status !== 0) throw new Error(`@portkey-ai/gateway cannot be installed: ${result.stderr}`);
  }
  const port = await freePort();
  const process = await startProcess({
    args: [
      '--import',
      join(repositoryRoot, 'bench', 'portkey-streams.ts'),
      join(packageFolder, 'build', 'start-server.js'),
      `--port=${port}`,
      '--headless',
    ],
    environment: { NODE_ENV: 'production' },
    ready: () => answers(`http://127.0.0.1:${port}/`),
  });
  return {
    name: `@portkey-ai/gateway ${portkeyVersion}`,
    url: `http://127.0.0.1:${port}/v1/chat/completions`,
    headers: { ...bearer('mock'), 'x-portkey-provider': 'openai', 'x-portkey-custom-host': mockBaseUrl },
    modelPrefix: '',
    processes: [process],
    stop: () => process.stop(),
  };
};

/** Neither the environment of who runs the bench nor their `.env` changes what is measured. */
const ownSettings = (mockBaseUrl: string): Record<string, string> => ({
  NODE_ENV: 'production',
  LOG_LEVEL: 'warn',
  HOST: '127.0.0.1',
  OPENAI_API_KEY: 'mock',
  OPENAI_BASE_URL: mockBaseUrl,
  DATABASE_URL: '',
});

async function serviceToken(environment: Readonly<Record<string, string>>): Promise<string> {
  const args = ['token.ts', '--microdao', 'microdao:bench', '--role', 'service'];
  return (await runScript(args, environment)).trim();
}

/** `npm start` on a fresh data folder: one process, embedded Postgres, token check and ledger on. */
export const embeddedTarget: StartTarget = async (mockBaseUrl, prepare) => {
  const folder = mkdtempSync(join(tmpdir(), 'bench-data-'));
  const port = await freePort();
  const environment = { ...ownSettings(mockBaseUrl), PORT: String(port), DATA_DIR: folder };
  await prepare?.(folder);
  const process = await startProcess({
    args: [...cacheImport, 'main.ts'],
    environment,
    ready: () => answers(`http://127.0.0.1:${port}/health/ready`),
  });
  const token = await serviceToken(environment);
  return {
    name: 'agent-supergraph, embedded',
    url: `http://127.0.0.1:${port}/v1/chat/completions`,
    headers: { ...bearer(token), 'x-agent-id': 'agent:bench' },
    modelPrefix: 'openai/',
    processes: [process],
    stop: async () => {
      await process.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};

/** Gateway and llm as processes of their own, on a real Postgres. */
export const servicesTarget: StartTarget = async (mockBaseUrl, prepare) => {
  const postgres = await startPostgresCluster();
  if (postgres === undefined) throw new Error('there are no PostgreSQL binaries on this machine');
  const secrets = { AUTH_SECRET: randomBytes(32).toString('hex'), INTERNAL_SECRET: randomBytes(32).toString('hex') };
  const [gatewayPort, llmPort] = [await freePort(), await freePort()];
  const shared = { ...ownSettings(mockBaseUrl), ...secrets, DATABASE_URL: postgres.url };
  const processes: RunningProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const process of processes.toReversed()) await process.stop();
    postgres.stop();
  };
  try {
    await runScript(['migrate.ts'], shared);
    await prepare?.(postgres.url);
    for (const [script, port] of [
      ['subgraphs/llm/main.ts', llmPort],
      ['gateway/main.ts', gatewayPort],
    ] as const) {
      processes.push(
        await startProcess({
          args: [...cacheImport, script],
          environment: { ...shared, PORT: String(port), LLM_URL: `http://127.0.0.1:${llmPort}` },
          ready: () => answers(`http://127.0.0.1:${port}/health/ready`),
        }),
      );
    }
    const token = await serviceToken(shared);
    return {
      name: `agent-supergraph, gateway + llm + ${postgres.version.replace(/.*\) (\d+).*/, 'PostgreSQL $1')}`,
      url: `http://127.0.0.1:${gatewayPort}/v1/chat/completions`,
      headers: { ...bearer(token), 'x-agent-id': 'agent:bench' },
      modelPrefix: 'openai/',
      processes,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
};
