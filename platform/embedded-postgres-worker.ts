/**
 * The thread the embedded Postgres lives in: it opens the database, listens on a Unix socket, and lets connections in.
 * Started by embedded-postgres.ts, which hands over WorkerSettings and hears WorkerMessages.
 */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { EmbeddedConnection } from './embedded-postgres-connection.ts';
import { createDatabase, openEngine, type EmbeddedExtension } from './embedded-postgres-engine.ts';
import { startMaintenance } from './embedded-postgres-maintenance.ts';
import { errorResponse } from './embedded-postgres-protocol.ts';
import { DatabaseQueue } from './embedded-postgres-queue.ts';

export interface WorkerSettings {
  /** `create` makes the database and ends: WebAssembly's memory is given back by the end of its thread only. */
  readonly task: 'create' | 'serve';
  readonly directory: string;
  readonly socketPath: string;
  readonly database: string;
  readonly connectionsMax: number;
  readonly idleTransactionTimeoutMs: number;
  readonly flushCommits: boolean;
  readonly extensions: readonly EmbeddedExtension[];
  /** [0]: since when the unit runs that runs now, in milliseconds of Date.now(), or 0. */
  readonly runningSince: Float64Array;
}

export type WorkerMessage =
  | { readonly type: 'created' }
  | { readonly type: 'ready'; readonly serverVersion: string }
  /** It could not be opened; a sentence for the user. */
  | { readonly type: 'failed'; readonly reason: string };

/** Sent by the main thread. */
export interface CloseRequest {
  readonly type: 'close';
  /** How long open transactions may take to end before they are rolled back. */
  readonly graceMs: number;
}

const settings = workerData as WorkerSettings;
const main = parentPort;
if (main === null) throw new Error('embedded-postgres-worker.ts runs in a worker thread only');
const tell = (message: WorkerMessage): void => main.postMessage(message);

try {
  if (settings.task === 'create') {
    await createDatabase(settings);
    tell({ type: 'created' });
  } else {
    await serve();
  }
} catch (error) {
  tell({ type: 'failed', reason: (error as Error).message });
}

async function serve(): Promise<void> {
  const engine = await openEngine(settings);
  const queue = new DatabaseQueue(
    async (bytes, onAnswer) => {
      settings.runningSince[0] = Date.now();
      await engine.run(bytes, onAnswer);
      settings.runningSince[0] = 0;
    },
    settings.idleTransactionTimeoutMs,
    (fault) => {
      // Out of the promise chain, so that it ends this thread; the main thread starts a new one, which recovers.
      setImmediate(() => {
        throw fault;
      });
    },
  );
  const maintenance = startMaintenance(queue);
  const connections = new Set<EmbeddedConnection>();
  let connectionCount = 0;

  const server = createServer((socket) => {
    if (connections.size >= settings.connectionsMax) {
      socket.on('error', () => undefined);
      socket.end(
        errorResponse(
          'FATAL',
          '53300',
          `sorry, too many clients: the embedded Postgres takes ${settings.connectionsMax}`,
        ),
      );
      return;
    }
    connectionCount += 1;
    const connection: EmbeddedConnection = new EmbeddedConnection(socket, queue, {
      serverVersion: engine.serverVersion,
      database: settings.database,
      processId: connectionCount % 2 ** 31,
      secret: randomInt(2 ** 31),
      onCancel: (processId, secret) => {
        for (const other of connections) if (other.matches(processId, secret)) other.cancel();
      },
    });
    connections.add(connection);
    socket.on('close', () => connections.delete(connection));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(settings.socketPath, resolve);
  });

  main?.on('message', (message: CloseRequest) => {
    if (message.type === 'close') void close(message.graceMs);
  });
  tell({ type: 'ready', serverVersion: engine.serverVersion });

  async function close(graceMs: number): Promise<void> {
    server.close();
    maintenance.stop();
    const grace = new Promise<void>((resolve) => setTimeout(resolve, graceMs).unref());
    await Promise.race([queue.whenIdle(), grace]);
    for (const connection of connections) {
      connection.expel('57P01', 'terminating connection: the embedded Postgres is shutting down');
    }
    await queue.whenIdle();
    await maintenance.checkpoint();
    await engine.close();
    main?.close();
    // Clients that do not read their farewell must not keep the thread alive.
    process.exit(0);
  }
}
