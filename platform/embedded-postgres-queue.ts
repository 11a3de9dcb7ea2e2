import {
  abandonUnit,
  BIND_WITHOUT_PARSE,
  refusalUnit,
  statusOfAnswer,
  type Unit,
} from './embedded-postgres-protocol.ts';

/** Runs one unit synchronously on the one session there is, handing out the answer piece by piece. */
export type RunUnit = (bytes: Uint8Array, onAnswer: (piece: Uint8Array) => void) => Promise<void>;

/** What the queue needs of a connection. */
export interface QueuedConnection {
  /** The unit it waits with. */
  takeUnit(): Unit | undefined;
  /** A piece of the answer; valid during the call only. */
  answer(piece: Uint8Array): void;
  /** The unit is done, the connection may bring its next one. */
  unitDone(): void;
  /** It held a transaction open for too long. */
  expel(sqlState: string, reason: string): void;
}

/**
 * Shares the single session of the embedded Postgres among connections: one owns it from its first unit until the
 * database is idle again, the others wait in the order they came. There is at most one waiting unit a connection, so
 * the limit of connections bounds the queue.
 */
export class DatabaseQueue {
  readonly #run: RunUnit;
  readonly #idleTransactionTimeoutMs: number;
  readonly #waiting: QueuedConnection[] = [];
  #owner: QueuedConnection | undefined;
  #ownerHasUnit = false;
  #ownerHasParsed = false;
  #ownerTimer: NodeJS.Timeout | undefined;
  #running = false;
  #abandoned = false;
  #onIdle: (() => void)[] = [];
  readonly #onFault: (fault: unknown) => void;

  /**
   * @param onFault called when the database itself broke; nothing runs afterwards
   */
  constructor(run: RunUnit, idleTransactionTimeoutMs: number, onFault: (fault: unknown) => void) {
    this.#run = run;
    this.#idleTransactionTimeoutMs = idleTransactionTimeoutMs;
    this.#onFault = onFault;
  }

  get idle(): boolean {
    return !this.#running && this.#owner === undefined && this.#waiting.length === 0;
  }

  /** The connection has a unit to run. */
  submit(connection: QueuedConnection): void {
    if (this.#owner === connection) this.#ownerHasUnit = true;
    else this.#waiting.push(connection);
    this.#start();
  }

  /** Takes a waiting connection out. False if its unit runs already or is done. */
  withdraw(connection: QueuedConnection): boolean {
    const index = this.#waiting.indexOf(connection);
    if (index < 0) return false;
    this.#waiting.splice(index, 1);
    return true;
  }

  /** The connection is gone: its waiting unit is dropped, its open transaction rolled back. */
  leave(connection: QueuedConnection): void {
    this.withdraw(connection);
    if (this.#owner !== connection) return;
    this.#abandoned = true;
    this.#start();
  }

  /** Resolves as soon as nothing runs, nothing waits and no transaction is open. */
  async whenIdle(): Promise<void> {
    if (this.idle) return;
    await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  #start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#pump().catch((fault: unknown) => this.#onFault(fault));
  }

  async #pump(): Promise<void> {
    for (;;) {
      if (this.#owner !== undefined && this.#abandoned) {
        await this.#execute(abandonUnit, undefined);
        this.#setOwner(undefined);
        continue;
      }
      const connection =
        this.#owner === undefined ? this.#waiting.shift() : this.#ownerHasUnit ? this.#owner : undefined;
      if (connection === undefined) break;
      await this.#serve(connection);
    }
    this.#running = false;
    if (this.idle) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  async #serve(connection: QueuedConnection): Promise<void> {
    this.#ownerHasUnit = false;
    const unit = connection.takeUnit();
    if (unit === undefined) return;
    if (this.#owner === connection) clearTimeout(this.#ownerTimer);
    else this.#setOwner(connection);
    // The owner's own earlier Parse is still the unnamed statement; anybody else's is not to be touched.
    const refused = unit.refusal !== undefined && !(unit.refusal === BIND_WITHOUT_PARSE && this.#ownerHasParsed);
    const idle = await this.#execute(refused ? refusalUnit(unit.refusal ?? '') : unit, connection);
    if (idle) this.#setOwner(undefined);
    else {
      this.#ownerHasParsed ||= unit.parses;
      this.#ownerTimer = setTimeout(() => this.#expelOwner(connection), this.#idleTransactionTimeoutMs);
    }
    connection.unitDone();
  }

  #setOwner(owner: QueuedConnection | undefined): void {
    clearTimeout(this.#ownerTimer);
    this.#owner = owner;
    this.#ownerHasUnit = false;
    this.#ownerHasParsed = false;
    this.#abandoned = false;
  }

  #expelOwner(connection: QueuedConnection): void {
    if (this.#owner !== connection || this.#ownerHasUnit) return;
    connection.expel(
      '25P03',
      'terminating connection: it left its transaction idle while others waited for the database',
    );
    this.leave(connection);
  }

  /** @returns whether the database is idle afterwards */
  async #execute(unit: Unit, connection: QueuedConnection | undefined): Promise<boolean> {
    let tail: Uint8Array = new Uint8Array(0);
    await this.#run(unit.bytes, (piece) => {
      tail = lastBytes(tail, piece, 6);
      connection?.answer(piece);
    });
    // After Flush there is no ReadyForQuery: the connection is in the midst of its work.
    return unit.endsReady && statusOfAnswer(tail) === 'I';
  }
}

function lastBytes(before: Uint8Array, piece: Uint8Array, byteCount: number): Uint8Array {
  if (piece.length >= byteCount) return piece.slice(-byteCount);
  const both = new Uint8Array(before.length + piece.length);
  both.set(before);
  both.set(piece, before.length);
  return both.slice(-byteCount);
}
