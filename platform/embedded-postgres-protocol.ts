/**
 * The server's side of PostgreSQL's frontend/backend protocol 3.0, as far as the embedded Postgres needs it:
 * cutting a byte stream into units of work, and the few messages that are answered without the database.
 * Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

/** Bigger than any statement of ours; the database itself stops at 1 GiB, WebAssembly's memory at 2 GiB. */
export const UNIT_BYTES_MAX = 256 * 1024 * 1024;
/** The first packet of a connection holds a few settings only; PostgreSQL's own limit. */
const STARTUP_BYTES_MAX = 10_000;

const SSL_REQUEST = 80877103;
const GSS_ENCRYPTION_REQUEST = 80877104;
const CANCEL_REQUEST = 80877102;
const PROTOCOL_MAJOR = 3;

const letter = (character: string): number => character.charCodeAt(0);
const QUERY = letter('Q');
const PARSE = letter('P');
const BIND = letter('B');
const DESCRIBE = letter('D');
const EXECUTE = letter('E');
const CLOSE = letter('C');
const SYNC = letter('S');
const FLUSH = letter('H');
const FUNCTION_CALL = letter('F');
const TERMINATE = letter('X');
const COPY_DATA = letter('d');
const COPY_DONE = letter('c');
const COPY_FAIL = letter('f');

const passedOn = new Set([QUERY, PARSE, BIND, DESCRIBE, EXECUTE, CLOSE, SYNC, FLUSH, FUNCTION_CALL]);
const dropped = new Set([COPY_DATA, COPY_DONE, COPY_FAIL]);

/** A client that breaks the protocol; it gets this as its last message. */
export class ProtocolViolation extends Error {
  readonly sqlState: string;

  constructor(message: string, sqlState = '08P01') {
    super(message);
    this.name = 'ProtocolViolation';
    this.sqlState = sqlState;
  }
}

export type Startup =
  | { readonly type: 'encryption' }
  | { readonly type: 'cancel'; readonly processId: number; readonly secret: number }
  | { readonly type: 'startup'; readonly parameters: ReadonlyMap<string, string> };

/** What the database must run in one go, because between its messages it has state that other connections would break. */
export interface Unit {
  readonly bytes: Uint8Array;
  /** True after Sync, Query and FunctionCall: the answer ends with ReadyForQuery. False after Flush. */
  readonly endsReady: boolean;
  /** True when it prepares the unnamed statement. */
  readonly parses: boolean;
  /** Why the shared session cannot run it, if so. */
  readonly refusal: string | undefined;
}

export type Frame = { readonly type: 'unit'; readonly unit: Unit } | { readonly type: 'terminate' };

/** Turns the bytes of one connection into its startup packets and then its units. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #bufferedBytes = 0;
  #messages: Buffer[] = [];
  #unitBytes = 0;
  #parses = false;
  #refusal: string | undefined;

  /** Bytes received and not yet handed out. */
  get bufferedBytes(): number {
    return this.#bufferedBytes + this.#unitBytes;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.length;
  }

  /** @throws ProtocolViolation */
  nextStartup(): Startup | undefined {
    const header = this.#peek(8);
    if (header === undefined) return undefined;
    const length = header.readInt32BE(0);
    const code = header.readInt32BE(4);
    if (length < 8 || length > STARTUP_BYTES_MAX) throw new ProtocolViolation('invalid length of startup packet');
    const packet = this.#take(length);
    if (packet === undefined) return undefined;
    if (code === SSL_REQUEST || code === GSS_ENCRYPTION_REQUEST) return { type: 'encryption' };
    if (code === CANCEL_REQUEST && length >= 16) {
      return { type: 'cancel', processId: packet.readInt32BE(8), secret: packet.readInt32BE(12) };
    }
    if (code >>> 16 !== PROTOCOL_MAJOR) {
      throw new ProtocolViolation(`unsupported frontend protocol ${code >>> 16}.${code & 0xffff}`, '0A000');
    }
    const words = packet.toString('utf8', 8).split('\0');
    const parameters = new Map<string, string>();
    for (let index = 0; index + 1 < words.length && words[index] !== ''; index += 2) {
      parameters.set(words[index] ?? '', words[index + 1] ?? '');
    }
    return { type: 'startup', parameters };
  }

  /**
   * The next whole unit, if it has arrived.
   * @throws ProtocolViolation
   */
  next(): Frame | undefined {
    for (;;) {
      const header = this.#peek(5);
      if (header === undefined) return undefined;
      const type = header[0] ?? 0;
      const length = header.readInt32BE(1);
      if (length < 4) throw new ProtocolViolation('invalid message length');
      if (this.#unitBytes + length > UNIT_BYTES_MAX) {
        throw new ProtocolViolation(`a statement with its parameters may have ${UNIT_BYTES_MAX} bytes`, '54000');
      }
      const message = this.#take(length + 1);
      if (message === undefined) return undefined;
      if (type === TERMINATE) return { type: 'terminate' };
      // What a client still sends after its COPY failed; PostgreSQL ignores these too.
      if (dropped.has(type)) continue;
      if (!passedOn.has(type)) throw new ProtocolViolation(`invalid frontend message type ${type}`);
      this.#add(type, message);
      if (type === SYNC || type === QUERY || type === FUNCTION_CALL || type === FLUSH) {
        return { type: 'unit', unit: this.#endUnit(type !== FLUSH) };
      }
    }
  }

  #add(type: number, message: Buffer): void {
    this.#messages.push(message);
    this.#unitBytes += message.length;
    if (type === PARSE) {
      if (message[5] === 0) this.#parses = true;
      else this.#refusal ??= 'named prepared statements do not work here: all connections share one session';
    } else if (type === BIND && !this.#parses) {
      this.#refusal ??= bindRefusal(message);
    }
    // With nobody to send the data, COPY FROM STDIN would read past the end of the unit and take the database down.
    // This message ends such a COPY with an error, and is ignored everywhere else.
    if (type === EXECUTE || type === QUERY) {
      this.#messages.push(copyFail);
      this.#unitBytes += copyFail.length;
    }
  }

  #endUnit(endsReady: boolean): Unit {
    const unit: Unit = {
      bytes: Buffer.concat(this.#messages, this.#unitBytes),
      endsReady,
      parses: this.#parses,
      refusal: this.#refusal,
    };
    this.#messages = [];
    this.#unitBytes = 0;
    this.#parses = false;
    this.#refusal = undefined;
    return unit;
  }

  #peek(byteCount: number): Buffer | undefined {
    if (this.#bufferedBytes < byteCount) return undefined;
    let first = this.#chunks[0] ?? Buffer.alloc(0);
    while (first.length < byteCount) {
      first = Buffer.concat([first, this.#chunks[1] ?? Buffer.alloc(0)]);
      this.#chunks.splice(0, 2, first);
    }
    return first;
  }

  #take(byteCount: number): Buffer | undefined {
    if (this.#bufferedBytes < byteCount) return undefined;
    let first = this.#chunks[0] ?? Buffer.alloc(0);
    if (first.length < byteCount) {
      first = Buffer.concat(this.#chunks, this.#bufferedBytes);
      this.#chunks = [first];
    }
    if (first.length === byteCount) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(byteCount);
    this.#bufferedBytes -= byteCount;
    return first.subarray(0, byteCount);
  }
}

/** Set on a Bind whose unit did not prepare the unnamed statement; whether that matters depends on who ran before. */
export const BIND_WITHOUT_PARSE =
  'a statement must be prepared and run in one go here: all connections share one session';

function bindRefusal(message: Buffer): string {
  const portalEnd = message.indexOf(0, 5);
  const named = portalEnd >= 0 && message[portalEnd + 1] !== 0;
  return named ? 'named prepared statements do not work here: all connections share one session' : BIND_WITHOUT_PARSE;
}

function message(type: string, ...parts: readonly (string | number | Buffer)[]): Buffer {
  const body = Buffer.concat(
    parts.map((part) => {
      if (typeof part === 'string') return Buffer.from(`${part}\0`);
      if (typeof part !== 'number') return part;
      const integer = Buffer.alloc(4);
      integer.writeInt32BE(part);
      return integer;
    }),
  );
  const header = Buffer.alloc(5);
  header.write(type, 'latin1');
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

const copyFail = message('f', 'COPY FROM STDIN does not work on the embedded Postgres');

export const encryptionRefused = Buffer.from('N');

/** The answer to a startup packet: welcome, what the session is like, and how to cancel. */
export function startupAnswer(serverVersion: string, processId: number, secret: number): Buffer {
  const parameters = {
    server_version: serverVersion,
    server_encoding: 'UTF8',
    client_encoding: 'UTF8',
    DateStyle: 'ISO, MDY',
    IntervalStyle: 'postgres',
    TimeZone: 'UTC',
    integer_datetimes: 'on',
    standard_conforming_strings: 'on',
    is_superuser: 'on',
    session_authorization: 'postgres',
  };
  return Buffer.concat([
    message('R', 0),
    ...Object.entries(parameters).map(([name, value]) => message('S', name, value)),
    message('K', processId, secret),
    readyForQuery('I'),
  ]);
}

export const readyForQuery = (status: 'I' | 'T' | 'E'): Buffer => message('Z', Buffer.from(status));

export function errorResponse(severity: 'ERROR' | 'FATAL', sqlState: string, text: string): Buffer {
  return message('E', `S${severity}`, `V${severity}`, `C${sqlState}`, `M${text}`, Buffer.from([0]));
}

export const query = (sql: string): Buffer => message('Q', sql);

/** A statement that fails with this reason, so that a refused unit leaves the transaction as any other error would. */
export function refusalUnit(reason: string): Unit {
  const sql = `do $refusal$ begin raise exception using errcode = '0A000', message = '${reason.replaceAll("'", "''")}'; end $refusal$`;
  return { bytes: query(sql), endsReady: true, parses: false, refusal: undefined };
}

/**
 * Ends whatever a connection left open. Extended messages without a Sync have an implicit transaction which Sync alone
 * would commit, so an error comes first; then Sync leaves the extended protocol, and ROLLBACK any explicit transaction.
 */
export const abandonUnit: Unit = {
  bytes: Buffer.concat([message('P', '', 'connection closed', Buffer.alloc(2)), message('S'), query('rollback')]),
  endsReady: true,
  parses: false,
  refusal: undefined,
};

/** The transaction status at the end of an answer: 'I' idle, 'T' in a transaction, 'E' in a failed one. */
export function statusOfAnswer(lastSixBytes: Uint8Array): 'I' | 'T' | 'E' | undefined {
  const isReadyForQuery =
    lastSixBytes.length === 6 &&
    lastSixBytes[0] === letter('Z') &&
    lastSixBytes[1] === 0 &&
    lastSixBytes[2] === 0 &&
    lastSixBytes[3] === 0 &&
    lastSixBytes[4] === 5;
  if (!isReadyForQuery) return undefined;
  const status = String.fromCharCode(lastSixBytes[5] ?? 0);
  return status === 'I' || status === 'T' || status === 'E' ? status : undefined;
}
