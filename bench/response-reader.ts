/** Where a response's body ends, as its headers tell. */
type Framing =
  | { readonly kind: 'length'; left: number }
  | { readonly kind: 'chunked'; state: 'size' | 'data' | 'data-end' | 'trailer'; left: number; line: string };

export interface ResponseEvents {
  /** A piece of the body, as it came off the socket. */
  onBody(piece: Buffer): void;
  onEnd(status: number): void;
}

const headersBytesMax = 64 * 1024;

/**
 * Reads HTTP/1.1 responses off one keep-alive connection, one after the other. Just enough of the protocol for
 * servers on loopback, so that the load generator costs the machine little beside what it measures.
 */
export class ResponseReader {
  readonly #events: ResponseEvents;
  #headers = '';
  #status = 0;
  #framing: Framing | undefined;

  constructor(events: ResponseEvents) {
    this.#events = events;
  }

  /** @throws Error when the bytes are not HTTP/1.1 with a known length */
  read(bytes: Buffer): void {
    let rest = bytes;
    while (rest.length > 0)
      rest = this.#framing === undefined ? this.#readHeaders(rest) : this.#readBody(rest, this.#framing);
  }

  #readHeaders(bytes: Buffer): Buffer {
    const before = this.#headers.length;
    this.#headers += bytes.toString('latin1');
    const end = this.#headers.indexOf('\r\n\r\n');
    if (end === -1) {
      if (this.#headers.length > headersBytesMax) throw new Error('The response headers do not end.');
      return bytes.subarray(bytes.length);
    }
    const headers = this.#headers.slice(0, end);
    this.#headers = '';
    this.#status = Number(headers.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/i.exec(headers);
    if (length !== null) this.#framing = { kind: 'length', left: Number(length[1]) };
    else if (/\r\ntransfer-encoding: *chunked/i.test(headers)) {
      this.#framing = { kind: 'chunked', state: 'size', left: 0, line: '' };
    } else throw new Error(`A response without a length: ${headers.slice(0, 200)}`);
    if (this.#framing.kind === 'length' && this.#framing.left === 0) this.#end();
    return bytes.subarray(end + 4 - before);
  }

  #readBody(bytes: Buffer, framing: Framing): Buffer {
    if (framing.kind === 'length' || framing.state === 'data') {
      const piece = bytes.subarray(0, framing.left);
      framing.left -= piece.length;
      this.#events.onBody(piece);
      if (framing.left === 0) {
        if (framing.kind === 'length') this.#end();
        else framing.state = 'data-end';
      }
      return bytes.subarray(piece.length);
    }
    const newline = bytes.indexOf(10);
    if (newline === -1) {
      framing.line += bytes.toString('latin1');
      return bytes.subarray(bytes.length);
    }
    const line = (framing.line + bytes.toString('latin1', 0, newline)).trim();
    framing.line = '';
    if (framing.state === 'data-end') framing.state = 'size';
    else if (framing.state === 'size') {
      framing.left = Number.parseInt(line, 16);
      if (Number.isNaN(framing.left)) throw new Error(`A chunk without a size: ${line.slice(0, 50)}`);
      framing.state = framing.left === 0 ? 'trailer' : 'data';
    } else if (line === '') this.#end();
    return bytes.subarray(newline + 1);
  }

  #end(): void {
    this.#framing = undefined;
    this.#events.onEnd(this.#status);
  }
}
