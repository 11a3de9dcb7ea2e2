import { query, type Unit } from './embedded-postgres-protocol.ts';
import type { DatabaseQueue, QueuedConnection } from './embedded-postgres-queue.ts';

/** How often it looks whether there is something to do. */
const INTERVAL_MS = 10_000;

/**
 * The write-ahead log is cut off at this much. PostgreSQL's own trigger works in its background processes only; without
 * a checkpoint the log and the time to replay it after a kill would grow for ever.
 */
const WAL_BYTES_MAX = 32 * 1024 * 1024;

/** Tables vacuumed or analysed at one look, so that statements of others get their turn. */
const TABLES_A_LOOK = 4;

/** PostgreSQL's autovacuum thresholds: https://www.postgresql.org/docs/current/routine-vacuuming.html */
const tablesInNeed = `
  select format('vacuum (analyze) %I.%I', s.schemaname, s.relname)
  from pg_catalog.pg_stat_user_tables s join pg_catalog.pg_class c on c.oid = s.relid
  where s.n_dead_tup > 50 + 0.2 * greatest(c.reltuples, 0)
     or s.n_mod_since_analyze > 50 + 0.1 * greatest(c.reltuples, 0)
     or s.n_ins_since_vacuum > 1000 + 0.2 * greatest(c.reltuples, 0)
  order by s.n_dead_tup + s.n_mod_since_analyze desc limit ${TABLES_A_LOOK}`;

const walSinceCheckpoint = `
  select pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), redo_lsn)::text from pg_catalog.pg_control_checkpoint()`;

export interface Maintenance {
  /** Writes all that is in memory to the files, so that the next start has nothing to replay. */
  checkpoint(): Promise<void>;
  stop(): void;
}

/** Does what autovacuum and the checkpointer do elsewhere: the embedded Postgres has no background processes. */
export function startMaintenance(queue: DatabaseQueue): Maintenance {
  const client = new MaintenanceClient(queue);
  let looking = false;
  const look = async (): Promise<void> => {
    if (looking) return;
    looking = true;
    try {
      for (const statement of await client.texts(tablesInNeed)) await client.texts(statement);
      const [walBytes] = await client.texts(walSinceCheckpoint);
      if (Number(walBytes) > WAL_BYTES_MAX) await client.texts('checkpoint');
    } finally {
      looking = false;
    }
  };
  const timer = setInterval(() => void look(), INTERVAL_MS);
  timer.unref();
  return {
    async checkpoint() {
      await client.texts('checkpoint');
    },
    stop: () => clearInterval(timer),
  };
}

/** A client inside the worker that waits in the same queue as everybody else. */
class MaintenanceClient implements QueuedConnection {
  readonly #queue: DatabaseQueue;
  #unit: Unit | undefined;
  #answer: Buffer[] = [];
  #done: () => void = () => undefined;

  constructor(queue: DatabaseQueue) {
    this.#queue = queue;
  }

  /** Runs one statement and gives the first column of its rows. An error gives no rows: the next look tries again. */
  async texts(sql: string): Promise<string[]> {
    this.#unit = { bytes: query(sql), endsReady: true, parses: false, refusal: undefined };
    this.#answer = [];
    await new Promise<void>((resolve) => {
      this.#done = resolve;
      this.#queue.submit(this);
    });
    return firstColumn(Buffer.concat(this.#answer));
  }

  takeUnit(): Unit | undefined {
    const unit = this.#unit;
    this.#unit = undefined;
    return unit;
  }

  answer(piece: Uint8Array): void {
    this.#answer.push(Buffer.from(piece));
  }

  unitDone(): void {
    this.#done();
  }

  expel(): void {
    // It never holds a transaction.
  }
}

/** DataRow: 'D', length, number of columns (16 bits), then for each its length and bytes. */
function firstColumn(answer: Buffer): string[] {
  const values: string[] = [];
  for (let offset = 0; offset + 5 <= answer.length; offset += 1 + answer.readInt32BE(offset + 1)) {
    if (answer[offset] !== 0x44) continue;
    const length = answer.readInt32BE(offset + 7);
    if (length >= 0) values.push(answer.toString('utf8', offset + 11, offset + 11 + length));
  }
  return values;
}
