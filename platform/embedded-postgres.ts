import { existsSync, lstatSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Logger } from 'pino';
import { DataFolderError } from './data-folder.ts';
import type { EmbeddedExtension } from './embedded-postgres-engine.ts';
import type { CloseRequest, WorkerMessage, WorkerSettings } from './embedded-postgres-worker.ts';

const DATABASE = 'postgres';
/** The name libpq and pg derive from the port 5432. */
const SOCKET_NAME = '.s.PGSQL.5432';
/** A Unix socket's path must fit into sockaddr_un: 104 bytes on macOS, 108 on Linux. */
const SOCKET_PATH_BYTES_MAX = 100;
const SOCKET_DIRECTORY_PREFIX = 'asg-';
/** In the data folder: where the socket of the running server is. */
const LOCATION_FILE = 'postgres.location.json';

const CONNECTIONS_MAX = 200;
const CLOSE_GRACE_MS = 5_000;
/** Beyond the grace: rolling back, the last checkpoint, closing the files. */
const CLOSE_TIMEOUT_MS = 20_000;
const WATCH_INTERVAL_MS = 1_000;
const RESTART_DELAY_MS_MAX = 30_000;

export interface EmbeddedPostgresOptions {
  /** The data folder, whose lock the caller holds (data-folder.ts); the database is in its subfolder `postgres`. */
  readonly dataFolder: string;
  readonly logger?: Logger;
  /** Extensions of PGlite to load, each an installed package. Default: none. */
  readonly extensions?: readonly EmbeddedExtension[];
  /**
   * Whether a commit waits for the disk (fsync). Default true. False makes commits faster; they still survive a
   * kill -9, but not a power failure.
   */
  readonly flushCommits?: boolean;
  /**
   * A statement that runs longer than this is ended by restarting the database, since nothing can interrupt it: every
   * connection is lost and what was committed is recovered. Default 120,000.
   */
  readonly statementTimeoutMs?: number;
  /** A connection that leaves its transaction idle for this long is rolled back and closed. Default 30,000. */
  readonly idleTransactionTimeoutMs?: number;
}

export interface EmbeddedPostgres {
  /** For `pg` and everything built on it; the socket is its own user's only. */
  readonly connectionString: string;
  readonly serverVersion: string;
  /** Lets open transactions end for 5 s, rolls back the rest, and writes everything to its files. */
  close(): Promise<void>;
}

/**
 * PostgreSQL inside this process, in a thread of its own: PGlite behind a Unix socket. To its clients it is a
 * PostgreSQL 18 with one session for all connections, hence without `SET`, named prepared statements, session advisory
 * locks, temporary tables and LISTEN. A commit that was acknowledged survives a kill -9.
 *
 * @throws DataFolderError when the folder cannot be written, or is damaged
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const socketDirectory = await makeSocketDirectory(options.dataFolder);
  const supervisor = new Supervisor(options, {
    task: 'serve',
    directory: path.join(path.resolve(options.dataFolder), 'postgres'),
    socketPath: path.join(socketDirectory, SOCKET_NAME),
    database: DATABASE,
    connectionsMax: CONNECTIONS_MAX,
    idleTransactionTimeoutMs: options.idleTransactionTimeoutMs ?? 30_000,
    flushCommits: options.flushCommits ?? true,
    extensions: options.extensions ?? [],
    runningSince: new Float64Array(new SharedArrayBuffer(8)),
  });
  const locationFile = path.join(options.dataFolder, LOCATION_FILE);
  try {
    const serverVersion = await supervisor.start();
    await writeFile(`${locationFile}.new`, JSON.stringify({ socketDirectory }), { mode: 0o600 });
    await rename(`${locationFile}.new`, locationFile);
    return {
      connectionString: connectionStringOf(socketDirectory),
      serverVersion,
      async close() {
        await supervisor.close();
        await rm(locationFile, { force: true });
        await rm(socketDirectory, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await supervisor.close();
    await rm(socketDirectory, { recursive: true, force: true });
    throw error;
  }
}

/** The connection string of the embedded Postgres that another process runs on this data folder, if one answers. */
export async function findEmbeddedPostgres(dataFolder: string): Promise<string | undefined> {
  const socketDirectory = await recordedSocketDirectory(dataFolder);
  if (socketDirectory === undefined) return undefined;
  const answers = await new Promise<boolean>((resolve) => {
    const socket = connect(path.join(socketDirectory, SOCKET_NAME));
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
  return answers ? connectionStringOf(socketDirectory) : undefined;
}

const connectionStringOf = (socketDirectory: string): string =>
  `postgresql://postgres@localhost/${DATABASE}?host=${encodeURIComponent(socketDirectory)}`;

async function recordedSocketDirectory(dataFolder: string): Promise<string | undefined> {
  try {
    const text = await readFile(path.join(dataFolder, LOCATION_FILE), 'utf8');
    const { socketDirectory } = JSON.parse(text) as { socketDirectory?: unknown };
    return typeof socketDirectory === 'string' && isOurs(socketDirectory) ? socketDirectory : undefined;
  } catch {
    // Never started, or killed while it wrote this: there is no server to be found.
    return undefined;
  }
}

/** A folder that somebody else made must be neither trusted with our queries nor deleted. */
function isOurs(socketDirectory: string): boolean {
  if (!path.basename(socketDirectory).startsWith(SOCKET_DIRECTORY_PREFIX)) return false;
  const stats = lstatSync(socketDirectory, { throwIfNoEntry: false });
  return stats !== undefined && stats.isDirectory() && (process.getuid === undefined || stats.uid === process.getuid());
}

async function makeSocketDirectory(dataFolder: string): Promise<string> {
  // What a killed server left behind.
  const left = await recordedSocketDirectory(dataFolder);
  if (left !== undefined) await rm(left, { recursive: true, force: true });
  const fits = (parent: string): boolean =>
    Buffer.byteLength(path.join(parent, `${SOCKET_DIRECTORY_PREFIX}XXXXXX`, SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX;
  // mkdtemp makes it with mode 0700.
  return mkdtemp(path.join(fits(tmpdir()) ? tmpdir() : '/tmp', SOCKET_DIRECTORY_PREFIX));
}

/** Keeps one worker thread running: starts it again when the database broke or was stopped for a runaway statement. */
class Supervisor {
  readonly #options: EmbeddedPostgresOptions;
  readonly #settings: WorkerSettings;
  readonly #statementTimeoutMs: number;
  #worker: Worker | undefined;
  #closing = false;
  #watch: NodeJS.Timeout | undefined;

  constructor(options: EmbeddedPostgresOptions, settings: WorkerSettings) {
    this.#options = options;
    this.#settings = settings;
    this.#statementTimeoutMs = options.statementTimeoutMs ?? 120_000;
  }

  /** @returns the server's version */
  async start(): Promise<string> {
    if (!existsSync(path.join(this.#settings.directory, 'PG_VERSION'))) await this.#runWorker('create');
    const serverVersion = await this.#startWorker();
    this.#watch = setInterval(() => this.#stopRunaway(), Math.min(WATCH_INTERVAL_MS, this.#statementTimeoutMs));
    this.#watch.unref();
    return serverVersion;
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#watch);
    const worker = this.#worker;
    if (worker === undefined) return;
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    worker.postMessage({ type: 'close', graceMs: CLOSE_GRACE_MS } satisfies CloseRequest);
    const inTime = await Promise.race([exited.then(() => true), delay(CLOSE_TIMEOUT_MS, false, { ref: false })]);
    if (!inTime) await worker.terminate();
  }

  async #startWorker(): Promise<string> {
    this.#settings.runningSince[0] = 0;
    await rm(this.#settings.socketPath, { force: true });
    return this.#runWorker('serve');
  }

  /** Resolves when the worker reports that it serves (with the server's version) or has made the database. */
  #runWorker(task: WorkerSettings['task']): Promise<string> {
    const worker = new Worker(new URL('./embedded-postgres-worker.ts', import.meta.url), {
      workerData: { ...this.#settings, task },
    });
    if (task === 'serve') this.#worker = worker;
    return new Promise<string>((resolve, reject) => {
      let serves = false;
      let lastError: Error | undefined;
      worker.on('message', (message: WorkerMessage) => {
        if (message.type === 'failed') {
          lastError = new DataFolderError(`the embedded database cannot be used: ${message.reason}`);
        } else {
          serves = message.type === 'ready';
          resolve(message.type === 'ready' ? message.serverVersion : '');
        }
        // It has nothing more to do, and must not be kept by a handle that somebody forgot.
        if (message.type !== 'ready') void worker.terminate();
      });
      worker.on('error', (error: Error) => (lastError = error));
      worker.on('exit', () => {
        if (this.#worker === worker) this.#worker = undefined;
        if (serves && !this.#closing) void this.#restart(lastError);
        reject(lastError ?? new Error('the embedded database ended while it started'));
      });
    });
  }

  async #restart(cause: Error | undefined): Promise<void> {
    for (let delayMs = 100; !this.#closing; delayMs = Math.min(delayMs * 2, RESTART_DELAY_MS_MAX)) {
      this.#options.logger?.error({ err: cause }, 'the embedded Postgres ended unexpectedly and is started again');
      try {
        await this.#startWorker();
        return;
      } catch (error) {
        cause = error as Error;
        await delay(delayMs, undefined, { ref: false });
      }
    }
  }

  #stopRunaway(): void {
    const since = this.#settings.runningSince[0] ?? 0;
    if (since === 0 || Date.now() - since < this.#statementTimeoutMs) return;
    this.#options.logger?.error(
      { statementTimeoutMs: this.#statementTimeoutMs },
      'a statement ran too long: the embedded Postgres is restarted',
    );
    void this.#worker?.terminate();
  }
}
