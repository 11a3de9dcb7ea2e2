import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Membership, Role } from '#platform/caller.ts';
import { issueToken } from '#platform/tokens.ts';
import { startMockUpstream, type MockUpstream } from './mock-upstream/server.ts';
import { createTestDatabase } from './test-database.ts';

export type Layout = 'embedded' | 'services';

export interface TokenOptions {
  readonly role?: Role;
  readonly microdaoId?: string;
  readonly memberships?: readonly Membership[];
  readonly agentId?: string;
  readonly subject?: string;
  readonly admin?: boolean;
  readonly timeToLiveMs?: number;
}

export interface SystemOptions {
  readonly layout: Layout;
  /** Settings on top of the harness's own; undefined takes one away. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const startTimeoutMs = 60_000;
const outputCharactersMax = 200_000;

/** One process of the system under test, found ready by what it prints. */
class SystemProcess {
  readonly #child: ChildProcess;
  readonly exited: Promise<number | null>;
  output = '';

  constructor(script: string, environment: Record<string, string>, folder: string) {
    // In an own folder: a developer's .env must not leak into tests.
    this.#child = spawn(process.execPath, [path.join(root, script)], {
      cwd: folder,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.exited = once(this.#child, 'exit').then(([code]) => code as number | null);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output = (this.output + text).slice(-outputCharactersMax);
      });
    }
  }

  /** The address it listens on. @throws Error with all it printed when it ends or takes too long */
  async address(): Promise<string> {
    const deadline = Date.now() + startTimeoutMs;
    let code: number | null | undefined;
    void this.exited.then((exitCode) => (code = exitCode));
    while (Date.now() < deadline && code === undefined) {
      const found =
        /GraphQL\s+(http:\/\/\S+)\/graphql/.exec(this.output) ?? /"address":"(http:[^"]+)"/.exec(this.output);
      if (found?.[1] !== undefined) return found[1];
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`the process ${code === undefined ? 'did not get ready' : `ended with ${code}`}:\n${this.output}`);
  }

  async stop(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal);
    return this.exited;
  }
}

/**
 * The whole system as its users meet it: real processes, real HTTP, a mock only where the providers would be.
 * `embedded` is `main.ts` on a fresh data folder, `services` the gateway and the llm subgraph as two processes on a
 * fresh database of the real PostgreSQL.
 */
export class System {
  readonly layout: Layout;
  readonly mock: MockUpstream;
  readonly folder: string;
  readonly #environment: Record<string, string>;
  readonly #authSecret = randomBytes(32).toString('hex');
  readonly #cleanUps: (() => Promise<unknown>)[] = [];
  #processes: SystemProcess[] = [];
  #url = '';

  private constructor(layout: Layout, mock: MockUpstream, folder: string, environment: Record<string, string>) {
    this.layout = layout;
    this.mock = mock;
    this.folder = folder;
    this.#environment = { ...environment, AUTH_SECRET: this.#authSecret };
  }

  static async start({ layout, environment = {} }: SystemOptions): Promise<System> {
    const folder = await mkdtemp(path.join(tmpdir(), 'system-'));
    const mock = await startMockUpstream({ recordMax: 50_000 });
    const settings: Record<string, string | undefined> = {
      PATH: process.env['PATH'],
      HOST: '127.0.0.1',
      PORT: '0',
      LOG_LEVEL: 'info',
      DATA_DIR: path.join(folder, 'data'),
      INTERNAL_SECRET: randomBytes(32).toString('hex'),
      OPENAI_API_KEY: 'sk-test-openai',
      OPENAI_BASE_URL: mock.openaiBaseUrl,
      ANTHROPIC_API_KEY: 'sk-ant-test',
      ANTHROPIC_BASE_URL: mock.anthropicBaseUrl,
      ...environment,
    };
    const defined = Object.fromEntries(
      Object.entries(settings).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
    const system = new System(layout, mock, folder, defined);
    system.#cleanUps.push(
      () => rm(folder, { recursive: true, force: true }),
      () => mock.close(),
    );
    try {
      if (layout === 'services') await system.#createDatabase();
      await system.#startProcesses();
    } catch (error) {
      await system.close();
      throw error;
    }
    return system;
  }

  /** `http://127.0.0.1:port` of the gateway. */
  get url(): string {
    return this.#url;
  }

  /** All that the running processes have printed. */
  get output(): string {
    return this.#processes.map(({ output }) => output).join('\n');
  }

  async token(options: TokenOptions = {}): Promise<string> {
    const {
      role = 'service',
      microdaoId = 'microdao:home',
      agentId,
      admin = false,
      timeToLiveMs = 3_600_000,
    } = options;
    const memberships = options.memberships ?? (admin ? [] : [{ microdaoId, role }]);
    const subject = options.subject ?? agentId ?? 'user:test';
    const { token } = await issueToken(
      { secret: this.#authSecret },
      { subject, admin, memberships, agentId, timeToLiveMs },
    );
    return token;
  }

  async fetch(
    route: string,
    {
      token,
      body,
      headers = {},
      ...init
    }: { token?: string; body?: unknown; headers?: Record<string, string> } & Omit<
      RequestInit,
      'body' | 'headers'
    > = {},
  ): Promise<Response> {
    return fetch(`${this.#url}${route}`, {
      ...(body === undefined ? {} : { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) }),
      ...init,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
    });
  }

  async graphql(
    query: string,
    { token, variables }: { token?: string; variables?: object } = {},
  ): Promise<{ data?: any; errors?: any[] }> {
    const response = await this.fetch('/graphql', {
      ...(token === undefined ? {} : { token }),
      body: { query, variables },
    });
    return (await response.json()) as { data?: any; errors?: any[] };
  }

  /** Kills every process without a warning. */
  async kill(): Promise<void> {
    await Promise.all(this.#processes.map((running) => running.stop('SIGKILL')));
    this.#processes = [];
  }

  /** Asks every process to stop; returns their exit codes, the gateway's last. */
  async stop(): Promise<(number | null)[]> {
    const codes = await Promise.all(this.#processes.map((running) => running.stop('SIGTERM')));
    this.#processes = [];
    return codes;
  }

  async restart(): Promise<void> {
    await this.#startProcesses();
  }

  async close(): Promise<void> {
    await this.kill();
    for (const cleanUp of this.#cleanUps.toReversed()) await cleanUp();
  }

  async #createDatabase(): Promise<void> {
    const database = await createTestDatabase();
    this.#cleanUps.push(() => database.close());
    this.#environment['DATABASE_URL'] = database.connectionString;
    const migration = new SystemProcess('migrate.ts', this.#environment, this.folder);
    const code = await migration.exited;
    if (code !== 0) throw new Error(`npm run migrate ended with ${code}:\n${migration.output}`);
  }

  async #startProcesses(): Promise<void> {
    const run = async (script: string, environment: Record<string, string> = {}): Promise<string> => {
      const running = new SystemProcess(script, { ...this.#environment, ...environment }, this.folder);
      this.#processes.push(running);
      return running.address();
    };
    if (this.layout === 'embedded') {
      this.#url = await run('main.ts');
    } else {
      const llmUrl = await run('subgraphs/llm/main.ts');
      this.#url = await run('gateway/main.ts', { LLM_URL: llmUrl });
    }
  }
}
