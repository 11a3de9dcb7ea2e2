import { randomUUID } from 'node:crypto';
import type { Database } from '#platform/database.ts';
import type { Logger } from '#platform/logging.ts';
import { startJob, type BackgroundJob } from './background-job.ts';
import {
  buryOneStatement,
  buryStatement,
  forgetBuriedStatement,
  registerProcessStatement,
  renewLeaseStatement,
  settleBuriedStatement,
} from './usage-ledger-statements.ts';

export interface LeaseSettings {
  /** How long a process counts as alive after its last heartbeat, in milliseconds. Default 10,000. */
  readonly leaseMs: number;
  /** Time between heartbeats, in milliseconds. Default 3,000. */
  readonly heartbeatIntervalMs: number;
  /** How often dead processes are looked for, in milliseconds. Default 3,000. */
  readonly settleExpiredIntervalMs: number;
}

const sweepRowsMax = 500;
const sweepRoundsMax = 10_000;

/**
 * This process's life sign, one row for the process, and the settling of what dead ones left open.
 *
 * A process is first buried, which it can't undo, and only then are its rows settled: one that was merely slow finds at
 * its next heartbeat or opening that it was buried and goes on under a new id, and its old requests are refused by the
 * compare-and-set when it comes to settle them.
 */
export class ProcessLease {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #settings: LeaseSettings;
  #processId: string = randomUUID();
  #jobs: BackgroundJob[] = [];
  /** Since when heartbeats have come through without a break, as `performance.now()`. */
  #healthySince: number | undefined;
  #reincarnation: Promise<void> | undefined;
  #sweep: Promise<number> | undefined;

  constructor(database: Database, logger: Logger, settings: Partial<LeaseSettings>) {
    this.#database = database;
    this.#logger = logger;
    const { leaseMs = 10_000, heartbeatIntervalMs = 3_000, settleExpiredIntervalMs = 3_000 } = settings;
    this.#settings = { leaseMs, heartbeatIntervalMs, settleExpiredIntervalMs };
  }

  get processId(): string {
    return this.#processId;
  }

  async start(takeOverAll: boolean): Promise<void> {
    await this.#register();
    if (takeOverAll) await this.#bury(-1);
    // Leases of a lifetime ago belong to the dead, also when the database itself has just come back.
    else await this.#bury(this.#settings.leaseMs);
    await this.#settleBuried();
    const { heartbeatIntervalMs, settleExpiredIntervalMs } = this.#settings;
    this.#jobs = [
      startJob('ledger heartbeat', heartbeatIntervalMs, this.#logger, () => this.#renew()),
      startJob('settling for dead processes', settleExpiredIntervalMs, this.#logger, async () => {
        await this.settleExpired();
      }),
    ];
  }

  async stop(): Promise<void> {
    for (const job of this.#jobs) await job.stop();
    await this.#database.sql(buryOneStatement, [this.#processId]);
  }

  /** Goes on under a new id after this process was buried. Callers share one run. */
  reincarnate(): Promise<void> {
    this.#reincarnation ??= this.#register(randomUUID()).finally(() => {
      this.#reincarnation = undefined;
    });
    return this.#reincarnation;
  }

  /**
   * While the database was away no one could renew: the leases that ran out then say nothing about who is alive. So a
   * process buries others only after its own heartbeats have come through for a whole lease, time enough for theirs.
   */
  settleExpired(): Promise<number> {
    this.#sweep ??= this.#settleExpired().finally(() => {
      this.#sweep = undefined;
    });
    return this.#sweep;
  }

  async #settleExpired(): Promise<number> {
    const { leaseMs } = this.#settings;
    if (this.#healthySince !== undefined && performance.now() - this.#healthySince >= leaseMs) await this.#bury(0);
    const settled = await this.#settleBuried();
    await this.#database.sql(forgetBuriedStatement, []);
    return settled;
  }

  async #register(processId: string = this.#processId): Promise<void> {
    await this.#database.sql(registerProcessStatement, [processId, this.#settings.leaseMs]);
    this.#processId = processId;
    this.#healthySince = performance.now();
  }

  async #renew(): Promise<void> {
    const { leaseMs, heartbeatIntervalMs } = this.#settings;
    const lateMs = heartbeatIntervalMs + leaseMs / 2;
    const overdue = setTimeout(() => (this.#healthySince = undefined), lateMs);
    overdue.unref();
    try {
      const renewed = await this.#database.sql(renewLeaseStatement, [this.#processId, leaseMs]);
      this.#healthySince ??= performance.now();
      if (renewed.length > 0) return;
      this.#logger.error(
        { processId: this.#processId },
        'this process was taken for dead: its open requests were settled by another one',
      );
      await this.reincarnate();
    } catch (error) {
      this.#healthySince = undefined;
      throw error;
    } finally {
      clearTimeout(overdue);
    }
  }

  async #bury(pastMs: number): Promise<void> {
    const buried = await this.#database.sql<{ id: string }>(buryStatement, [this.#processId, pastMs]);
    if (buried.length > 0)
      this.#logger.warn({ processes: buried.map(({ id }) => id) }, 'processes are dead: settling what they left open');
  }

  async #settleBuried(): Promise<number> {
    let total = 0;
    for (let round = 0; round < sweepRoundsMax; round += 1) {
      const [result] = await this.#database.sql<{ settled: number }>(settleBuriedStatement, [sweepRowsMax]);
      const settled = result?.settled ?? 0;
      total += settled;
      if (settled < sweepRowsMax) break;
    }
    if (total > 0)
      this.#logger.warn({ requests: total }, `${total} requests of dead processes were settled as INTERRUPTED`);
    return total;
  }
}
