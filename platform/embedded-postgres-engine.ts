import { existsSync, fdatasyncSync, fsyncSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { PGlite, type Extensions, type PGliteOptions } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';

/** PostgreSQL's major version inside PGlite; its files can be read by the same major version only. */
const MAJOR_VERSION = '18';

/** An extension of PGlite, named so that the worker thread can import it, such as `{ module: 'pglite-pgvector', export: 'vector' }`. */
export interface EmbeddedExtension {
  readonly name: string;
  readonly module: string;
  readonly export: string;
}

export interface EngineOptions {
  /** The folder of PostgreSQL's own files; made if missing. */
  readonly directory: string;
  /** Whether a commit waits for the disk. Without it a commit survives the end of the process, but not a power failure. */
  readonly flushCommits: boolean;
  readonly extensions: readonly EmbeddedExtension[];
}

export interface Engine {
  readonly serverVersion: string;
  /** Runs one unit; see DatabaseQueue. Rejects when the database broke: then nothing it said may be believed. */
  run(bytes: Uint8Array, onAnswer: (piece: Uint8Array) => void): Promise<void>;
  close(): Promise<void>;
}

/**
 * Settings that a lone process without background workers needs. Nothing triggers checkpoints or vacuum by itself:
 * embedded-postgres-maintenance.ts does.
 */
const settings = {
  search_path: 'public',
  exit_on_error: 'false',
  // All of it is touched at the start and counts as memory in use; reads beyond it come from the system's file cache.
  shared_buffers: '32MB',
  log_checkpoints: 'false',
  max_worker_processes: '0',
  max_parallel_workers: '0',
  max_parallel_workers_per_gather: '0',
  max_parallel_maintenance_workers: '0',
  io_method: 'sync',
  // fdatasync does nothing in this build; fsync reaches the file system below.
  wal_sync_method: 'fsync',
  // What a kill leaves to replay, and so the time of the next start.
  min_wal_size: '32MB',
  max_wal_size: '64MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
};

/** PGlite's access to a folder, with the fsync that it leaves out. */
class FlushingNodeFS extends NodeFS {
  readonly #onFault: (fault: Error) => void;

  constructor(directory: string, onFault: (fault: Error) => void) {
    super(directory);
    this.#onFault = onFault;
  }

  override async init(...[pglite, options]: Parameters<NodeFS['init']>): ReturnType<NodeFS['init']> {
    const amended = await super.init(pglite, options);
    const flush = (stream: { nfd?: number; path?: string }): number => {
      try {
        // The log is written over segments that have their size: as PostgreSQL's own default does on Linux, its data
        // alone is waited for, which saves the file system's journal.
        const isLog = stream.path?.includes('/pg_wal/') === true;
        if (stream.nfd !== undefined) (isLog ? fdatasyncSync : fsyncSync)(stream.nfd);
        return 0;
      } catch (error) {
        // After a failed fsync nobody knows what is on the disk: a panic, as in PostgreSQL itself.
        this.#onFault(error as Error);
        throw error;
      }
    };
    return {
      emscriptenOpts: {
        ...amended.emscriptenOpts,
        // PGlite goes on after an abort (a PANIC of PostgreSQL, such as a full disk under the write-ahead log).
        onAbort: (reason: unknown) => this.#onFault(new Error(`the database aborted: ${String(reason)}`)),
        preRun: [
          ...(amended.emscriptenOpts.preRun ?? []),
          (module: unknown) => {
            const { FS } = module as { FS: { filesystems: { NODEFS: { stream_ops: Record<string, unknown> } } } };
            FS.filesystems.NODEFS.stream_ops['fsync'] = flush;
          },
        ],
      },
    };
  }
}

/**
 * Opens the database in a folder.
 *
 * @throws Error with one line for the user when the folder holds another version or is damaged
 */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const { directory } = options;
  const version = (await readFile(path.join(directory, 'PG_VERSION'), 'utf8')).trim();
  if (version !== MAJOR_VERSION) {
    throw new Error(`${directory} was written by PostgreSQL ${version}, this is PostgreSQL ${MAJOR_VERSION}`);
  }
  return openPGlite(options, directory);
}

/**
 * Makes the database beside its place and moves it there whole: a start that is killed midway leaves no half of one.
 *
 * @throws Error with one line for the user when the folder holds something else
 */
export async function createDatabase(options: EngineOptions): Promise<void> {
  const { directory } = options;
  const present = existsSync(directory) ? await readdir(directory) : [];
  if (present.length > 0) throw new Error(`${directory} is damaged: it has files but no PG_VERSION`);
  const partial = `${directory}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true, mode: 0o700 });
  const engine = await openPGlite(options, partial);
  await engine.close();
  await rm(directory, { recursive: true, force: true });
  await rename(partial, directory);
}

async function openPGlite(options: EngineOptions, directory: string): Promise<Engine> {
  let fault: Error | undefined;
  const lastWords: string[] = [];
  const pgliteOptions: PGliteOptions = {
    fs: new FlushingNodeFS(directory, (error) => (fault ??= error)),
    extensions: await loadExtensions(options.extensions),
    startParams: [
      '--single',
      ...(options.flushCommits ? [] : ['-F']),
      '-O',
      '-j',
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    onStderr: (text) => {
      lastWords.push(text);
      if (lastWords.length > 20) lastWords.shift();
      return false;
    },
  };
  let pglite: PGlite;
  try {
    pglite = await PGlite.create(pgliteOptions);
  } catch (error) {
    const reason =
      lastWords.findLast((line) => /FATAL|PANIC|ERROR/.test(line)) ?? String((error as Error).message ?? error);
    throw new Error(
      `${directory} could not be opened (${reason.trim()}); it may be damaged: restore a backup, or move it away`,
      {
        cause: error,
      },
    );
  }
  const { rows } = await pglite.query<{ server_version: string }>('show server_version');
  return {
    serverVersion: rows[0]?.server_version ?? MAJOR_VERSION,
    async run(bytes, onAnswer) {
      await pglite.execProtocolRawStream(bytes, {
        syncToFs: false,
        onRawData: (piece) => {
          if (fault === undefined) onAnswer(piece);
        },
      });
      if (fault !== undefined) throw fault;
    },
    close: () => pglite.close(),
  };
}

async function loadExtensions(extensions: readonly EmbeddedExtension[]): Promise<Extensions> {
  const loaded: Extensions = {};
  for (const extension of extensions) {
    const module = (await import(extension.module)) as Record<string, unknown>;
    loaded[extension.name] = module[extension.export] as Extensions[string];
  }
  return loaded;
}
