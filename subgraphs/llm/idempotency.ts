import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '#platform/database.ts';
import { AppError } from '#platform/errors.ts';
import type { OpenRequest } from './usage-ledger-rows.ts';

/** What a key stands for: whose it is and of what request. */
export interface IdempotencyClaim {
  /** Hash of the caller, the microDAO, the operation and the key. */
  readonly scope: string;
  /** Hash of the input, however its fields were ordered. */
  readonly bodyHash: string;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url');

/** JSON with sorted keys and without undefined ones (as RFC 8785 orders them), so that equal inputs have equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const record = value as Record<string, unknown>;
  const fields = Object.keys(record)
    .filter((key) => record[key] !== undefined)
    .toSorted()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(record[key])}`);
  return `{${fields.join(',')}}`;
}

/**
 * @param operation `complete` for `complete` and `completion` alike: one answer serves both
 * @param input as the client sent it; its key, microDAO and agent are left out in favour of the checked ones
 */
export function idempotencyClaim(
  subject: string,
  microdaoId: string,
  agentId: string | undefined,
  operation: 'complete' | 'embed',
  input: { readonly idempotencyKey?: string | null | undefined },
): IdempotencyClaim | undefined {
  const { idempotencyKey: key, ...body } = input;
  if (key == null) return undefined;
  return {
    scope: sha256(JSON.stringify([subject, microdaoId, operation, key])),
    bodyHash: sha256(canonicalJson({ ...body, microdaoId, agentId })),
  };
}

/** What several requests with one key share while it runs in this process. */
export interface Joinable {
  /** False when it is being given up and can't be joined any more. */
  join(): boolean;
  /** Resolves, never rejects, when its request is settled. */
  readonly ended: Promise<void>;
}

export type Entry<Running> =
  /** This caller has the key: the request is open and `running` was started for it. The caller has joined it. */
  | { readonly kind: 'started'; readonly running: Running }
  /** Another request of this process has it; the caller has joined it. */
  | { readonly kind: 'joined'; readonly running: Running }
  /** It is done: the stored answer, JSON. */
  | { readonly kind: 'stored'; readonly answer: string };

interface HeldKey {
  readonly state: 'RUNNING' | 'SUCCEEDED' | 'FAILED';
  readonly body_hash: string;
  readonly answer: string | null;
}

interface Slot<Running> {
  readonly bodyHash: string;
  /** Undefined when the claim came to nothing, and the others should look again. */
  readonly running: Promise<Running | undefined>;
}

const pollFirstMs = 25;
const pollMaxMs = 1_000;
const purgeRowsMax = 5_000;
const purgeRoundsMax = 200;

/**
 * The rule of one key, one answer, one bill. The claim itself is a row in Postgres, made in the transaction that opens
 * the request (usage-ledger-statements.ts) and answered in the one that settles it; this class leads callers to it.
 */
export class Idempotency<Running extends Joinable> {
  readonly #database: Database;
  readonly #slots = new Map<string, Slot<Running>>();

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Joins what runs under the key in this process, waits for what runs in another one, gives the stored answer, or
   * claims the key and starts.
   *
   * @param open opens the request in the ledger; null when another request holds the key
   * @param start begins the work of an opened request; called at once
   * @throws AppError IDEMPOTENCY_CONFLICT when the key was used with another body; the signal's reason when it aborts
   */
  async enter(
    claim: IdempotencyClaim,
    microdaoId: string,
    signal: AbortSignal,
    open: () => Promise<OpenRequest | null>,
    start: (request: OpenRequest) => Running,
  ): Promise<Entry<Running>> {
    for (;;) {
      signal.throwIfAborted();
      const slot = this.#slots.get(claim.scope);
      if (slot === undefined) {
        const entry = await this.#claim(claim, microdaoId, signal, open, start);
        if (entry !== undefined) return entry;
        continue;
      }
      if (slot.bodyHash !== claim.bodyHash) throw conflict();
      const running = await unlessAborted(slot.running, signal);
      if (running?.join() === true) return { kind: 'joined', running };
      if (running !== undefined) await unlessAborted(running.ended, signal);
    }
  }

  /** Undefined: look again. */
  async #claim(
    claim: IdempotencyClaim,
    microdaoId: string,
    signal: AbortSignal,
    open: () => Promise<OpenRequest | null>,
    start: (request: OpenRequest) => Running,
  ): Promise<Entry<Running> | undefined> {
    const { promise, resolve } = Promise.withResolvers<Running | undefined>();
    const slot: Slot<Running> = { bodyHash: claim.bodyHash, running: promise };
    this.#slots.set(claim.scope, slot);
    const leave = () => {
      if (this.#slots.get(claim.scope) === slot) this.#slots.delete(claim.scope);
    };
    try {
      const request = await open();
      if (request === null) {
        const answer = await this.#awaitOther(claim, microdaoId, signal);
        leave();
        resolve(undefined);
        return answer === undefined ? undefined : { kind: 'stored', answer };
      }
      const running = start(request);
      running.join();
      void running.ended.then(leave);
      resolve(running);
      return { kind: 'started', running };
    } catch (error) {
      leave();
      resolve(undefined);
      throw error;
    }
  }

  /** The answer of the request that holds the key, once it has one; undefined when the key can be claimed again. */
  async #awaitOther(claim: IdempotencyClaim, microdaoId: string, signal: AbortSignal): Promise<string | undefined> {
    for (let pauseMs = pollFirstMs; ; pauseMs = Math.min(pauseMs * 1.5, pollMaxMs)) {
      signal.throwIfAborted();
      const held = await this.#read(claim.scope, microdaoId);
      if (held === undefined) return undefined;
      if (held.body_hash !== claim.bodyHash) throw conflict();
      if (held.state === 'SUCCEEDED' && held.answer !== null) return held.answer;
      if (held.state !== 'RUNNING') return undefined;
      await sleep(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }

  async #read(scope: string, microdaoId: string): Promise<HeldKey | undefined> {
    const [held] = await this.#database.sql<HeldKey>(
      `select state, body_hash, answer from llm.llm_idempotency where scope = $1 and microdao_id = $2 and expires_at > now()`,
      [scope, microdaoId],
    );
    return held;
  }
}

/** Forgets keys past their 24 hours; returns how many. */
export async function purgeIdempotencyKeys(database: Database): Promise<number> {
  let total = 0;
  for (let round = 0; round < purgeRoundsMax; round += 1) {
    const gone = await database.sql(
      `delete from llm.llm_idempotency where scope in
         (select scope from llm.llm_idempotency where expires_at <= now() order by scope limit $1 for update skip locked)
       returning scope`,
      [purgeRowsMax],
    );
    total += gone.length;
    if (gone.length < purgeRowsMax) break;
  }
  return total;
}

const conflict = (): AppError =>
  new AppError(
    'IDEMPOTENCY_CONFLICT',
    'This idempotency key was used before with another request body; use a new key for a new request.',
  );

/** Rejects with the signal's reason as soon as it aborts, whatever the promise does. */
export function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
