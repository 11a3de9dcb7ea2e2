import { StringDecoder } from 'node:string_decoder';

export interface ServerSentEvent {
  /** `message` where the server named none. */
  readonly event: string;
  /** Empty for an event that is named but has no data. */
  readonly data: string;
}

/** An event that does not end within its limit. */
export class EventTooLongError extends Error {
  override readonly name = 'EventTooLongError';
}

/**
 * Reads `text/event-stream` as the HTML standard defines it (https://html.spec.whatwg.org/multipage/server-sent-events.html):
 * line ends of three kinds, data over several lines, comments, a byte order mark, chunks cut anywhere, also inside a
 * character. One thing differs on purpose: an event that is named but has no data is given too, for graphql-sse's
 * `event: complete` needs none.
 */
export class EventStreamParser {
  readonly #decoder = new StringDecoder('utf8');
  readonly #eventLengthMax: number;
  /** The line under way. In pieces: a long one would otherwise be copied whole for each chunk. */
  #line: string[] = [];
  #lineLength = 0;
  #atStart = true;
  /** A chunk ended in CR: an LF at the start of the next belongs to it. */
  #skipLineFeed = false;
  #event = '';
  #data: string[] = [];
  #dataLength = 0;

  /** @param eventLengthMax characters of one event; beyond it `push` throws EventTooLongError */
  constructor(eventLengthMax: number) {
    this.#eventLengthMax = eventLengthMax;
  }

  /** The events that this chunk completes. */
  push(chunk: Uint8Array): ServerSentEvent[] {
    let text = this.#decoder.write(chunk as Buffer);
    if (text === '') return [];
    if (this.#atStart) {
      this.#atStart = false;
      if (text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    }
    if (this.#skipLineFeed) {
      this.#skipLineFeed = false;
      if (text.charCodeAt(0) === 10) text = text.slice(1);
    }
    return this.#readLines(text);
  }

  /** What a server left without the empty line that ends an event; some end their streams so. */
  flush(): ServerSentEvent[] {
    return this.#readLines(`${this.#decoder.end()}\n\n`);
  }

  #readLines(text: string): ServerSentEvent[] {
    const events: ServerSentEvent[] = [];
    let start = 0;
    let lineFeed = text.indexOf('\n');
    let carriageReturn = text.indexOf('\r');
    while (lineFeed !== -1 || carriageReturn !== -1) {
      const byCarriageReturn = carriageReturn !== -1 && (lineFeed === -1 || carriageReturn < lineFeed);
      const end = byCarriageReturn ? carriageReturn : lineFeed;
      this.#readLine(this.#completeLine(text.slice(start, end)), events);
      start = end + 1;
      if (byCarriageReturn) {
        if (start === text.length) this.#skipLineFeed = true;
        else if (text.charCodeAt(start) === 10) start += 1;
        carriageReturn = text.indexOf('\r', start);
      }
      if (lineFeed !== -1 && lineFeed < start) lineFeed = text.indexOf('\n', start);
    }
    if (start < text.length) {
      this.#line.push(text.slice(start));
      this.#lineLength += text.length - start;
    }
    if (this.#lineLength + this.#dataLength > this.#eventLengthMax)
      throw new EventTooLongError(`an event is longer than ${this.#eventLengthMax} characters`);
    return events;
  }

  #completeLine(end: string): string {
    if (this.#line.length === 0) return end;
    const line = this.#line.join('') + end;
    this.#line = [];
    this.#lineLength = 0;
    return line;
  }

  #readLine(line: string, events: ServerSentEvent[]): void {
    if (line === '') {
      if (this.#data.length > 0 || this.#event !== '') {
        events.push({
          event: this.#event === '' ? 'message' : this.#event,
          data: this.#data.length === 1 ? (this.#data[0] as string) : this.#data.join('\n'),
        });
      }
      this.#event = '';
      this.#data = [];
      this.#dataLength = 0;
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(line.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1);
    if (field === 'data') {
      this.#data.push(value);
      this.#dataLength += value.length + 1;
    } else if (field === 'event') {
      this.#event = value;
    }
  }
}
