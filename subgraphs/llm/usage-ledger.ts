import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '#platform/database.ts';
import { AppError } from '#platform/errors.ts';
import type { Logger } from '#platform/logging.ts';
import { startJob, type BackgroundJob } from './background-job.ts';
import { purgeIdempotencyKeys } from './idempotency.ts';
import type { TokenUsage } from './providers/provider.ts';
import { costOfTokens } from './usage-cost.ts';
import { BatchWriter } from './usage-ledger-batch.ts';
import { ProcessLease, type LeaseSettings } from './usage-ledger-lease.ts';
import {
  figuresOf,
  milliseconds,
  sane,
  sumOfAttempts,
  type AttemptTarget,
  type Bill,
  type Intent,
  type OpenRequest,
  type Settlement,
} from './usage-ledger-rows.ts';
import {
  checkpointStatement,
  nextAttemptStatement,
  openKeyedStatement,
  openStatement,
  settleKeyedStatement,
  settleStatement,
  statusesStatement,
  type OpenRow,
  type SettleRow,
} from './usage-ledger-statements.ts';
import { timeOfUuidV7, uuidV7 } from './uuid-v7.ts';

export interface LedgerSettings extends Partial<LeaseSettings> {
  /** How often running streams write down what they delivered, in milliseconds. Default 1,000. */
  readonly checkpointIntervalMs?: number;
  /** Requests waiting to be opened, or settled; more are refused. Default 10,000. */
  readonly backlogMax?: number;
  /** How long an opening waits for a database that does not answer, in milliseconds. Default 5,000. */
  readonly openPatienceMs?: number;
  /** The same for a settlement, whose answer is already paid for. Default 15,000. */
  readonly settlePatienceMs?: number;
  /** How long closing waits for open requests to be settled, in milliseconds. Default 3,000. */
  readonly closePatienceMs?: number;
  /** Batches of each kind written at the same time. Default 1. */
  readonly lanes?: number;
}

const batchItemsMax = 512;
const batchBytesMax = 8 * 1024 * 1024;
const checkpointRowsMax = 1_000;
const purgeIntervalMs = 60_000;
/** Settlements that outlived their patience and are still tried, so that the money is not forgotten. */
const lateMax = 10_000;
const lateAnswerCharsMax = 16_384;

/**
 * The book of what was asked of providers and what it cost. The order is what makes it complete: `open` is durable
 * before the upstream is called, `settle` before the answer's end leaves, so whatever a client saw has a row. What a
 * dead process left open is settled by another one from the last checkpoint.
 */
export class UsageLedger {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #lease: ProcessLease;
  readonly #opens: BatchWriter<OpenRow, boolean>;
  readonly #settlements: BatchWriter<SettleRow, boolean>;
  readonly #running = new Map<string, OpenRequest>();
  readonly #late: SettleRow[] = [];
  readonly #checkpointIntervalMs: number;
  readonly #closePatienceMs: number;
  #jobs: BackgroundJob[] = [];

  constructor(database: Database, logger: Logger, settings: LedgerSettings = {}) {
    this.#database = database;
    this.#logger = logger;
    this.#lease = new ProcessLease(database, logger, settings);
    this.#checkpointIntervalMs = settings.checkpointIntervalMs ?? 1_000;
    this.#closePatienceMs = settings.closePatienceMs ?? 3_000;
    const { backlogMax = 10_000, lanes = 1, openPatienceMs = 5_000, settlePatienceMs = 15_000 } = settings;
    const limits = { itemsMax: batchItemsMax, bytesMax: batchBytesMax, backlogMax, lanes };
    this.#opens = new BatchWriter({ ...limits, patienceMs: openPatienceMs, write: (rows) => this.#writeOpens(rows) });
    this.#settlements = new BatchWriter({
      ...limits,
      // A settlement is owed: it may wait behind as many openings as were let in.
      backlogMax: backlogMax * 2,
      patienceMs: settlePatienceMs,
      bytesOf: (row) => 1_000 + (row.answer?.length ?? 0),
      write: (rows) => this.#writeSettlements(rows),
    });
  }

  /**
   * Takes the lease, settles what dead processes left, and begins the background work.
   *
   * @param takeOverAll every other process is known to be dead (the embedded start holds the folder's lock)
   */
  async start({ takeOverAll = false }: { readonly takeOverAll?: boolean } = {}): Promise<void> {
    await this.#lease.start(takeOverAll);
    this.#jobs = [
      startJob('ledger checkpoint', this.#checkpointIntervalMs, this.#logger, () => this.#checkpoint()),
      startJob('late settlements', 1_000, this.#logger, () => this.#settleLate()),
      startJob('idempotency purge', purgeIntervalMs, this.#logger, async () => {
        await purgeIdempotencyKeys(this.#database);
      }),
    ];
  }

  /**
   * Stops the background work. What was aborted before gets a moment to settle itself; requests still open after that
   * are left to be settled by others, at once.
   */
  async close(): Promise<void> {
    const deadline = performance.now() + this.#closePatienceMs;
    while (this.#running.size > 0 && performance.now() < deadline) await sleep(10);
    for (const job of this.#jobs) await job.stop();
    if (this.#late.length > 0) await this.#settleLate();
    await this.#lease.stop();
  }

  /** Open requests of this process. */
  get openRequests(): number {
    return this.#running.size;
  }

  /** Settles what processes whose lease has run out left open; returns how many requests. Also runs by itself. */
  settleExpired(): Promise<number> {
    return this.#lease.settleExpired();
  }

  /**
   * Writes the intent, and claims the idempotency key where there is one. Durable when it resolves.
   *
   * @returns the open request, or null when the key is held by another request (`idempotency.ts` reads whose)
   * @throws AppError DATABASE_UNAVAILABLE when it can't be recorded: then nothing may be asked of a provider
   */
  async open(intent: Intent): Promise<OpenRequest | null> {
    const id = uuidV7();
    // The id's own time, so that both sort alike.
    const createdMs = timeOfUuidV7(id);
    const { price, idempotency } = intent;
    const isOpen = await this.#opens.add({
      id,
      request_id: intent.requestId,
      kind: intent.kind,
      microdao_id: intent.microdaoId,
      agent_id: intent.agentId,
      subject: intent.subject,
      actor: intent.actor,
      requested_model: intent.requestedModel,
      provider: intent.provider,
      model: intent.model,
      price_version: intent.priceVersion,
      input_usd: price?.inputUsd ?? null,
      output_usd: price?.outputUsd ?? null,
      cached_usd: price?.cachedInputUsd ?? null,
      input_chars: intent.inputChars,
      created_ms: createdMs,
      scope: idempotency?.scope ?? null,
      body_hash: idempotency?.bodyHash ?? null,
    });
    if (!isOpen) return null;
    const request: OpenRequest = {
      id,
      createdAt: new Date(createdMs),
      intent,
      attempt: { number: 1, target: intent, startedAt: performance.now() },
      earlier: [],
      delivered: undefined,
    };
    this.#running.set(id, request);
    return request;
  }

  /**
   * Closes the attempt under way as FAILED and opens the next one, of another provider or the same again.
   * Durable when it resolves.
   */
  async startAttempt(
    request: OpenRequest,
    next: AttemptTarget,
    failed: Omit<Settlement, 'status' | 'answer'>,
  ): Promise<void> {
    const { number, target } = request.attempt;
    const usage = sane(failed.usage);
    const costUsd = costOfTokens(usage, target.price);
    const row = {
      ...figuresOf(request, failed, usage, costUsd),
      provider: next.provider,
      model: next.model,
      price_version: next.priceVersion,
      input_usd: next.price?.inputUsd ?? null,
      output_usd: next.price?.outputUsd ?? null,
      cached_usd: next.price?.cachedInputUsd ?? null,
      next_number: number + 1,
    };
    const rows = await this.#database.sql(nextAttemptStatement, [JSON.stringify(row)]);
    if (rows.length === 0) throw lostLease();
    request.earlier.push({ usage, costUsd, estimated: failed.estimated });
    request.attempt = { number: number + 1, target: next, startedAt: performance.now() };
    request.delivered = undefined;
  }

  /** What a settlement with these figures would bill. */
  billFor(request: OpenRequest, told: TokenUsage, estimated: boolean): Bill {
    const usage = sane(told);
    return sumOfAttempts([
      ...request.earlier,
      { usage, costUsd: costOfTokens(usage, request.attempt.target.price), estimated },
    ]);
  }

  /**
   * Closes the request, once. Durable when it resolves: only then may the end of the answer leave.
   *
   * @throws AppError DATABASE_UNAVAILABLE when it could not be recorded in time (it is tried on in the background) or
   *   when this process had lost its lease and another one has settled the request
   */
  async settle(request: OpenRequest, settlement: Settlement): Promise<Bill> {
    request.delivered = undefined;
    const usage = sane(settlement.usage);
    const costUsd = costOfTokens(usage, request.attempt.target.price);
    const bill = sumOfAttempts([...request.earlier, { usage, costUsd, estimated: settlement.estimated }]);
    const row: SettleRow = {
      ...figuresOf(request, settlement, usage, costUsd),
      status: settlement.status,
      all_input: bill.inputTokens,
      all_output: bill.outputTokens,
      all_cached: bill.cachedInputTokens,
      all_reasoning: bill.reasoningTokens,
      all_cost: bill.costUsd,
      all_estimated: bill.estimated,
      all_latency: milliseconds(settlement.latencyMs),
      all_ttft: settlement.timeToFirstTokenMs === undefined ? null : milliseconds(settlement.timeToFirstTokenMs),
      scope: request.intent.idempotency?.scope ?? null,
      answer: settlement.status === 'SUCCEEDED' ? (settlement.answer ?? null) : null,
    };
    try {
      if (await this.#settlements.add(row)) return bill;
    } catch (error) {
      this.#keepLate(row, error);
      throw error;
    } finally {
      this.#running.delete(request.id);
    }
    throw lostLease();
  }

  async #writeOpens(rows: readonly OpenRow[]): Promise<readonly boolean[]> {
    const keyed = rows.some(({ scope }) => scope !== null);
    // Two rows with one key can't be claimed in one statement; the second one has lost it to the first anyway.
    const scopes = new Set<string>();
    const distinct = !keyed
      ? rows
      : rows.filter(({ scope }) => scope === null || (!scopes.has(scope) && scopes.add(scope)));
    const parameters = [JSON.stringify(distinct), this.#lease.processId];
    const [result] = await this.#database.sql<{ is_alive: boolean; claimed_ids?: string[] }>(
      keyed ? openKeyedStatement : openStatement,
      parameters,
    );
    if (result?.is_alive !== true) {
      await this.#lease.reincarnate();
      throw lostLease();
    }
    if (!keyed) return rows.map(() => true);
    const claimed = new Set(result.claimed_ids);
    return rows.map(({ id, scope }) => scope === null || claimed.has(id));
  }

  /** For each row whether it is settled by this process: now, or by an earlier try whose answer got lost on the way. */
  async #writeSettlements(rows: readonly SettleRow[]): Promise<readonly boolean[]> {
    const keyed = rows.some(({ scope }) => scope !== null);
    const settled = await this.#database.sql<{ id: string }>(keyed ? settleKeyedStatement : settleStatement, [
      JSON.stringify(rows),
    ]);
    if (settled.length === rows.length) return rows.map(() => true);
    const ours = new Set(settled.map(({ id }) => id));
    const missing = rows.filter(({ id }) => !ours.has(id)).map(({ id }) => id);
    const found = await this.#database.sql<{ id: string; status: string }>(statusesStatement, [missing]);
    // Only its own process writes these; INTERRUPTED is what others write for it.
    for (const { id, status } of found) if (status !== 'INTERRUPTED' && status !== 'RUNNING') ours.add(id);
    const lost = missing.filter((id) => !ours.has(id));
    if (lost.length > 0)
      this.#logger.error({ requests: lost }, 'the lease was lost: another process has settled these requests');
    return rows.map(({ id }) => ours.has(id));
  }

  #keepLate(row: SettleRow, error: unknown): void {
    if (this.#late.length >= lateMax) {
      this.#logger.fatal({ err: error, request: row }, 'a settlement is given up: too many wait for the database');
      return;
    }
    this.#logger.error({ err: error, request: row.id, status: row.status }, 'a settlement waits for the database');
    // A long answer is not worth its memory: its key is free again then.
    const answer = row.answer !== null && row.answer.length <= lateAnswerCharsMax ? row.answer : null;
    this.#late.push({ ...row, answer });
  }

  async #settleLate(): Promise<void> {
    while (this.#late.length > 0) {
      const rows = this.#late.slice(0, batchItemsMax);
      await this.#writeSettlements(rows);
      this.#late.splice(0, rows.length);
    }
  }

  async #checkpoint(): Promise<void> {
    let rows: object[] = [];
    const flush = async () => {
      if (rows.length > 0) await this.#database.sql(checkpointStatement, [JSON.stringify(rows)]);
      rows = [];
    };
    for (const request of this.#running.values()) {
      const { id, attempt } = request;
      const delivered = request.delivered?.();
      if (delivered === undefined) continue;
      const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens } = sane(delivered);
      rows.push({
        id,
        number: attempt.number,
        input_tokens: inputTokens,
        output_tokens: outputTokens,
        cached_tokens: cachedInputTokens,
        reasoning_tokens: reasoningTokens,
        ttft_ms: milliseconds(delivered.timeToFirstTokenMs),
      });
      if (rows.length >= checkpointRowsMax) await flush();
    }
    await flush();
  }
}

const lostLease = (): AppError =>
  new AppError(
    'DATABASE_UNAVAILABLE',
    'This process was cut off from the usage ledger for too long, and the request was closed without it.',
    {
      retryAfterMs: 1_000,
    },
  );
