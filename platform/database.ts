import { setTimeout as delay } from 'node:timers/promises';
import { MikroORM, type Options } from '@mikro-orm/postgresql';
import pg from 'pg';
import type { Logger } from 'pino';
import { connectionFailure, translateDatabaseError } from './database-errors.ts';
import { AppError } from './errors.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const IDLE_CONNECTION_MS = 30_000;
const STATEMENT_TIMEOUT_MS = 30_000;
/** The client's own timer runs out after the server's, which is the better judge. */
const CLIENT_TIMEOUT_MARGIN_MS = 2_000;

/**
 * Runs one statement with `$1` parameters and gives its rows, with PostgreSQL's names: timestamps are Dates, `bigint`
 * and `numeric` are strings (cast to `int` or `float8` where a number is meant), arrays and jsonb are parsed.
 * Names of tables must carry their schema. Nothing is prepared by name.
 */
export type Sql = <Row = Record<string, unknown>>(text: string, values?: readonly unknown[]) => Promise<Row[]>;

export interface DatabaseOptions {
  readonly connectionString: string;
  /** The schema of this part; MikroORM's entities live in it. */
  readonly schema: string;
  /** What `defineEntity` made, or classes set on it. */
  readonly entities?: Options['entities'];
  /** Connections kept at most; MikroORM and `sql` share them. */
  readonly poolSizeMax: number;
  /** Whether it is the embedded Postgres, whose session is everybody's: there the timeout is kept by the client. */
  readonly embedded: boolean;
  /** How long a statement may take. Default 30,000. */
  readonly statementTimeoutMs?: number;
  readonly logger?: Logger;
}

/**
 * One part's access to its Postgres. What fails because the database cannot be reached or does not answer in time
 * is an AppError DATABASE_UNAVAILABLE; other errors of the database come as `pg.DatabaseError` or MikroORM's own.
 */
export interface Database {
  readonly orm: MikroORM;
  readonly schema: string;
  /** The short way for hot paths and batches: no entities, one round trip. */
  readonly sql: Sql;
  /**
   * Runs several statements as one transaction on one connection: committed when the function returns, rolled back
   * when it throws. Must not wait for anything but the database, and must use the `sql` it is given.
   */
  transaction<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result>;
  /** Work with entities on an EntityManager of its own, errors translated as everywhere here. */
  withEntities<Result>(work: (entityManager: MikroORM['em']) => Promise<Result>): Promise<Result>;
  /** Resolves when the database answers; for readiness. */
  ping(signal?: AbortSignal): Promise<void>;
  /** Connections in use, idle, and callers waiting for one. */
  poolStatus(): { readonly total: number; readonly idle: number; readonly waiting: number };
  close(): Promise<void>;
}

/** Opens the pool and MikroORM on it; connects on first use. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const statementTimeoutMs = options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS;
  let created: pg.Pool | undefined;
  const poolOptions: pg.PoolConfig & { onPoolCreated: (pool: pg.Pool) => void } = {
    connectionString: options.connectionString,
    max: options.poolSizeMax,
    min: 0,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: IDLE_CONNECTION_MS,
    keepAlive: true,
    application_name: `agent-supergraph:${options.schema}`,
    query_timeout: options.embedded ? statementTimeoutMs : statementTimeoutMs + CLIENT_TIMEOUT_MARGIN_MS,
    // Sent with the connection's first packet, so it needs no SET and holds behind a pooler in session mode.
    ...(options.embedded
      ? {}
      : { statement_timeout: statementTimeoutMs, idle_in_transaction_session_timeout: statementTimeoutMs }),
    onPoolCreated: (pool) => (created = pool),
  };
  const orm = new MikroORM({
    // The pool takes the real one from the connection string; MikroORM must not make this one.
    dbName: 'from-the-connection-string',
    ensureDatabase: false,
    schema: options.schema,
    entities: options.entities ?? [],
    discovery: { warnWhenNoEntities: false },
    driverOptions: poolOptions,
    logger: (message) => options.logger?.warn({ schema: options.schema }, message),
  });
  // MikroORM makes its pool now and only now: so that there is one pool for both.
  await orm.connect();
  if (created === undefined) throw new Error('MikroORM made no pool');
  return new PooledDatabase(options.schema, orm, created);
}

class PooledDatabase implements Database {
  readonly orm: MikroORM;
  readonly schema: string;
  readonly #pool: pg.Pool;

  constructor(schema: string, orm: MikroORM, pool: pg.Pool) {
    this.schema = schema;
    this.orm = orm;
    this.#pool = pool;
  }

  readonly sql: Sql = (text, values) => run(this.#pool, text, values);

  async transaction<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    const client = await this.#pool.connect().catch(rethrowTranslated);
    let broken: Error | undefined;
    try {
      await run(client, 'begin');
      const result = await work((text, values) => run(client, text, values));
      // PostgreSQL answers COMMIT with ROLLBACK when a statement failed before, even if its error was caught.
      const { command } = await client.query('commit').catch(rethrowTranslated);
      if (command !== 'COMMIT')
        throw new Error('the transaction was rolled back because one of its statements had failed');
      return result;
    } catch (error) {
      await client.query('rollback').catch((rollbackError: Error) => (broken = rollbackError));
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async withEntities<Result>(work: (entityManager: MikroORM['em']) => Promise<Result>): Promise<Result> {
    return work(this.orm.em.fork()).catch(rethrowTranslated);
  }

  async ping(signal?: AbortSignal): Promise<void> {
    await unlessAborted(this.sql('select 1'), signal);
  }

  poolStatus(): { total: number; idle: number; waiting: number } {
    return { total: this.#pool.totalCount, idle: this.#pool.idleCount, waiting: this.#pool.waitingCount };
  }

  async close(): Promise<void> {
    await this.orm.close();
    // MikroORM leaves a pool alone that it never used itself.
    if (!this.#pool.ending) await this.#pool.end();
  }
}

/** The promise's result, or the signal's reason as soon as that is aborted; the promise goes on unheard. */
async function unlessAborted<Result>(promise: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (signal === undefined) return promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** MikroORM has the pool leave timestamps as text; `sql` takes pg's usual types. */
const usualTypes = pg.types;

async function run<Row>(queryable: pg.Pool | pg.PoolClient, text: string, values?: readonly unknown[]): Promise<Row[]> {
  try {
    const result = await queryable.query<Row & pg.QueryResultRow>({
      text,
      values: values as unknown[],
      types: usualTypes,
    });
    return result.rows;
  } catch (error) {
    throw translateDatabaseError(error);
  }
}

const rethrowTranslated = (error: unknown): never => {
  throw translateDatabaseError(error);
};

const RETRY_PAUSE_MS = 500;

/** Wrong password, not allowed, no such database: waiting does not mend these. */
const finalStates = new Set(['28P01', '28000', '3D000']);

export interface WaitForDatabaseOptions {
  /** How long to go on trying. Default 30,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Resolves as soon as the database answers a query.
 *
 * @throws AppError DATABASE_UNAVAILABLE with one line for the user: where, and why not; never the password
 */
export async function waitForDatabase(connectionString: string, options: WaitForDatabaseOptions = {}): Promise<void> {
  const timeoutMs = options.timeoutMs ?? 30_000;
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const leftMs = deadline - Date.now();
    const error = await unlessAborted(
      tryOnce(connectionString, Math.max(1, Math.min(CONNECT_TIMEOUT_MS, leftMs))),
      options.signal,
    );
    if (error === undefined) return;
    const final =
      finalStates.has(String((error as { code?: unknown }).code)) ||
      (error as { code?: unknown }).code === 'ERR_INVALID_URL';
    if (final || Date.now() + RETRY_PAUSE_MS >= deadline) {
      const waited = final ? '' : ` within ${timeoutMs / 1000} s`;
      throw new AppError(
        'DATABASE_UNAVAILABLE',
        `PostgreSQL at ${placeOf(connectionString)} cannot be used${waited}: ${connectionFailure(error)} (check DATABASE_URL)`,
        { cause: error },
      );
    }
    await delay(RETRY_PAUSE_MS, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}

async function tryOnce(connectionString: string, timeoutMs: number): Promise<unknown> {
  let client: pg.Client | undefined;
  try {
    client = new pg.Client({ connectionString, connectionTimeoutMillis: timeoutMs, query_timeout: timeoutMs });
    // A connection that breaks after its failure was reported has nothing more to say.
    client.on('error', () => undefined);
    await client.connect();
    await client.query('select 1');
    return undefined;
  } catch (error) {
    return error;
  } finally {
    await client?.end().catch(() => undefined);
  }
}

/** Host, port and database of a connection string. */
function placeOf(connectionString: string): string {
  try {
    const url = new URL(connectionString);
    const host = url.searchParams.get('host') ?? (url.hostname === '' ? 'localhost' : url.hostname);
    return host.startsWith('/')
      ? `${host}${url.pathname}`
      : `${host}:${url.port === '' ? '5432' : url.port}${url.pathname}`;
  } catch {
    return 'an address that is no URL';
  }
}
