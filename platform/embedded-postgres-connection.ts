import type { Socket } from 'node:net';
import {
  encryptionRefused,
  errorResponse,
  FrameReader,
  ProtocolViolation,
  readyForQuery,
  startupAnswer,
  type Startup,
  type Unit,
} from './embedded-postgres-protocol.ts';
import type { DatabaseQueue, QueuedConnection } from './embedded-postgres-queue.ts';

/** A client that sends more than this ahead of its answers is not read from until they are out. */
const READ_AHEAD_BYTES = 1024 * 1024;
/** A client that leaves this much of its answers unread gets no further statement run until it has read them. */
const UNREAD_BYTES_MAX = 16 * 1024 * 1024;
/** Pieces of an answer are gathered up to this size before they are written. */
const WRITE_BYTES = 64 * 1024;
/** A connection says what it wants at once; one that says nothing only takes up room. */
const STARTUP_TIMEOUT_MS = 10_000;

export interface ConnectionSettings {
  readonly serverVersion: string;
  readonly database: string;
  readonly processId: number;
  readonly secret: number;
  /** A cancel request for another connection. */
  readonly onCancel: (processId: number, secret: number) => void;
}

/** One client of the embedded Postgres: its socket, its unread bytes, and the one unit it waits for. */
export class EmbeddedConnection implements QueuedConnection {
  readonly #socket: Socket;
  readonly #queue: DatabaseQueue;
  readonly #settings: ConnectionSettings;
  readonly #reader = new FrameReader();
  readonly #startupTimer: NodeJS.Timeout;
  #started = false;
  #closed = false;
  #unit: Unit | undefined;
  #busy = false;
  #pieces: Buffer[] = [];
  #pieceBytes = 0;

  constructor(socket: Socket, queue: DatabaseQueue, settings: ConnectionSettings) {
    this.#socket = socket;
    this.#queue = queue;
    this.#settings = settings;
    this.#startupTimer = setTimeout(() => this.#close(), STARTUP_TIMEOUT_MS);
    socket.on('data', (chunk: Buffer) => {
      this.#reader.push(chunk);
      this.#advance();
    });
    socket.on('drain', () => this.#advance());
    // The cause does not matter: 'close' follows, and that is when the transaction is rolled back.
    socket.on('error', () => this.#close());
    socket.on('close', () => this.#close());
  }

  matches(processId: number, secret: number): boolean {
    return this.#settings.processId === processId && this.#settings.secret === secret;
  }

  /** Answers the waiting unit with "canceled", if it has not been started: what runs cannot be interrupted. */
  cancel(): void {
    if (!this.#busy || !this.#queue.withdraw(this)) return;
    this.#unit = undefined;
    this.#write(errorResponse('ERROR', '57014', 'canceling statement due to user request'));
    this.#write(readyForQuery('I'));
    this.unitDone();
  }

  expel(sqlState: string, reason: string): void {
    if (this.#closed) return;
    this.#socket.end(errorResponse('FATAL', sqlState, reason));
    this.#close();
  }

  takeUnit(): Unit | undefined {
    const unit = this.#unit;
    this.#unit = undefined;
    return unit;
  }

  answer(piece: Uint8Array): void {
    if (this.#closed) return;
    this.#pieces.push(Buffer.from(piece));
    this.#pieceBytes += piece.length;
    if (this.#pieceBytes >= WRITE_BYTES) this.#flush();
  }

  unitDone(): void {
    this.#flush();
    this.#busy = false;
    this.#advance();
  }

  #flush(): void {
    const [first] = this.#pieces;
    if (first === undefined) return;
    this.#write(this.#pieces.length === 1 ? first : Buffer.concat(this.#pieces, this.#pieceBytes));
    this.#pieces = [];
    this.#pieceBytes = 0;
  }

  #write(bytes: Buffer): void {
    if (!this.#closed) this.#socket.write(bytes);
  }

  #advance(): void {
    if (this.#closed) return;
    try {
      if (!this.#started) this.#startUp();
      if (this.#started) this.#takeNext();
    } catch (violation) {
      if (!(violation instanceof ProtocolViolation)) throw violation;
      this.expel(violation.sqlState, violation.message);
    }
  }

  #startUp(): void {
    for (let packet = this.#reader.nextStartup(); packet !== undefined; packet = this.#reader.nextStartup()) {
      if (packet.type === 'startup') return this.#welcome(packet);
      if (packet.type === 'cancel') {
        this.#settings.onCancel(packet.processId, packet.secret);
        this.#socket.end();
        return this.#close();
      }
      this.#write(encryptionRefused);
    }
  }

  #welcome({ parameters }: Extract<Startup, { type: 'startup' }>): void {
    clearTimeout(this.#startupTimer);
    const database = parameters.get('database') ?? parameters.get('user') ?? '';
    if (database !== this.#settings.database) {
      this.expel(
        '3D000',
        `database "${database}" does not exist; the embedded Postgres has "${this.#settings.database}"`,
      );
      return;
    }
    this.#started = true;
    this.#write(startupAnswer(this.#settings.serverVersion, this.#settings.processId, this.#settings.secret));
  }

  #takeNext(): void {
    if (this.#busy) {
      if (this.#reader.bufferedBytes > READ_AHEAD_BYTES) this.#socket.pause();
      return;
    }
    // 'drain' comes back here.
    if (this.#socket.writableLength > UNREAD_BYTES_MAX) return;
    const frame = this.#reader.next();
    if (frame === undefined) {
      this.#socket.resume();
      return;
    }
    if (frame.type === 'terminate') {
      this.#socket.end();
      this.#close();
      return;
    }
    this.#unit = frame.unit;
    this.#busy = true;
    this.#queue.submit(this);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#startupTimer);
    this.#unit = undefined;
    this.#pieces = [];
    this.#queue.leave(this);
    // Whatever was written is given the time to leave; a client that does not read it is cut off.
    this.#socket.setTimeout(1000, () => this.#socket.destroy());
    this.#socket.resume();
  }
}
