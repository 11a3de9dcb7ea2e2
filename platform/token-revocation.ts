import type { Logger } from 'pino';
import type { Database } from './database.ts';

const POLL_INTERVAL_MS = 1_000;
const PURGE_INTERVAL_MS = 60 * 60 * 1000; // 1 hour
/** An expired token is refused for its age alone; its row stays this much longer, for clocks that differ. */
const KEEP_EXPIRED_SECONDS = 300;
/** About 40 MB of ids. Beyond it the ones that last longest are kept in memory. */
const REVOKED_TOKENS_MAX = 250_000;

export interface Revocation {
  readonly jti: string;
  /** When the token would end by itself; the row is of no use afterwards. */
  readonly expiresAt: Date;
  /** The subject that revoked it. */
  readonly revokedBy: string;
}

/** Makes a token invalid for good, within a second in every process. Doing it again changes nothing. */
export async function revokeToken(database: Database, revocation: Revocation): Promise<void> {
  await database.sql(
    `insert into auth.revoked_tokens (jti, expires_at, revoked_by) values ($1, $2, $3) on conflict (jti) do nothing`,
    [revocation.jti, revocation.expiresAt, revocation.revokedBy],
  );
}

export interface RevokedTokensOptions {
  readonly database: Database;
  readonly logger?: Logger;
  /** How often the table is asked. Default 1,000. */
  readonly pollIntervalMs?: number;
}

/**
 * The revoked tokens that have not expired, in memory, so that a check costs nothing. Asks the table every second
 * (the embedded Postgres has no LISTEN). While the database is unreachable the last list holds; `ageMs` tells how old it is.
 */
export class RevokedTokens {
  readonly #database: Database;
  readonly #logger: Logger | undefined;
  readonly #pollIntervalMs: number;
  readonly #callbacks = new Set<(jti: string) => void>();
  #revoked = new Map<string, number>();
  #loadedAtMs = 0;
  #purgedAtMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #failing = false;
  #closed = false;
  #polling: Promise<void> = Promise.resolve();

  private constructor(options: RevokedTokensOptions) {
    this.#database = options.database;
    this.#logger = options.logger;
    this.#pollIntervalMs = options.pollIntervalMs ?? POLL_INTERVAL_MS;
  }

  /**
   * Loads the list before anything is served with it.
   * @throws AppError DATABASE_UNAVAILABLE
   */
  static async open(options: RevokedTokensOptions): Promise<RevokedTokens> {
    const tokens = new RevokedTokens(options);
    await tokens.refresh();
    tokens.#schedule();
    return tokens;
  }

  has(jti: string): boolean {
    return this.#revoked.has(jti);
  }

  get size(): number {
    return this.#revoked.size;
  }

  /** Milliseconds since the table was last read. */
  get ageMs(): number {
    return Date.now() - this.#loadedAtMs;
  }

  /** Called with the id of each token found revoked from now on, to end what runs with it. Returns how to stop that. */
  onRevoked(callback: (jti: string) => void): () => void {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  /** Reads the table now; the process that revokes a token need not wait for the next poll. */
  async refresh(): Promise<void> {
    const rows = await this.#database.sql<{ jti: string; expires_at: Date }>(
      `select jti, expires_at from auth.revoked_tokens
       where expires_at > now() - make_interval(secs => $1) order by expires_at desc limit $2`,
      [KEEP_EXPIRED_SECONDS, REVOKED_TOKENS_MAX],
    );
    const before = this.#revoked;
    this.#revoked = new Map(rows.map(({ jti, expires_at }) => [jti, expires_at.getTime()]));
    this.#loadedAtMs = Date.now();
    for (const jti of this.#revoked.keys()) {
      if (before.has(jti)) continue;
      for (const callback of this.#callbacks) callback(jti);
    }
  }

  /** Resolves when no query of it runs any more. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#polling;
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#polling = this.#poll().finally(() => this.#schedule());
    }, this.#pollIntervalMs);
    this.#timer.unref();
  }

  async #poll(): Promise<void> {
    try {
      await this.refresh();
      if (Date.now() - this.#purgedAtMs > PURGE_INTERVAL_MS) await this.#purge();
      this.#failing = false;
    } catch (error) {
      // The last list stays in force, and readiness sees its age; said once, not every second.
      if (!this.#failing)
        this.#logger?.warn({ err: error }, 'the revoked tokens cannot be read; the last list stays in force');
      this.#failing = true;
    }
  }

  async #purge(): Promise<void> {
    await this.#database.sql('delete from auth.revoked_tokens where expires_at < now() - make_interval(secs => $1)', [
      KEEP_EXPIRED_SECONDS,
    ]);
    this.#purgedAtMs = Date.now();
  }
}
