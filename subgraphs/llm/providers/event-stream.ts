import { StringDecoder } from 'node:string_decoder';

/** One event of a `text/event-stream`, https://html.spec.whatwg.org/multipage/server-sent-events.html */
export interface ServerSentEvent {
  /** `message` when the sender named none. */
  readonly event: string;
  readonly data: string;
}

/** An event that never ends, longer than any vendor's. */
export class EventTooLongError extends Error {
  override readonly name = 'EventTooLongError';
}

const eventLengthMax = 16 * 1024 * 1024; // 16 Mi characters

/** Cuts the text of an event stream into events, however it was cut into chunks. */
export class EventStreamParser {
  readonly #decoder = new StringDecoder('utf8');
  /** What came after the last line end. */
  #rest = '';
  #event = '';
  #data: string | undefined;
  #started = false;

  /** The events that are complete with this chunk. */
  push(chunk: Buffer): ServerSentEvent[] {
    return this.#parse(this.#decoder.write(chunk), false);
  }

  /** What the sender left without the empty line that ends an event; some servers end so. */
  flush(): ServerSentEvent[] {
    return this.#parse(`${this.#decoder.end()}\n\n`, true);
  }

  #parse(chunk: string, last: boolean): ServerSentEvent[] {
    let text = this.#rest + chunk;
    if (!this.#started && text !== '') {
      this.#started = true;
      if (text.startsWith('\uFEFF')) text = text.slice(1);
    }
    if (text.includes('\r')) {
      // A line feed may follow in the next chunk.
      const held = !last && text.endsWith('\r') ? '\r' : '';
      text = text.slice(0, text.length - held.length).replaceAll(/\r\n?/g, '\n') + held;
    }
    const events: ServerSentEvent[] = [];
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      this.#line(text, start, end, events);
      start = end + 1;
    }
    this.#rest = start === 0 ? text : text.slice(start);
    if (this.#rest.length + (this.#data?.length ?? 0) > eventLengthMax) throw new EventTooLongError(`more than ${eventLengthMax} characters`);
    return events;
  }

  #line(text: string, start: number, end: number, events: ServerSentEvent[]): void {
    if (start === end) {
      if (this.#data !== undefined) events.push({ event: this.#event === '' ? 'message' : this.#event, data: this.#data });
      this.#event = '';
      this.#data = undefined;
      return;
    }
    const colon = text.indexOf(':', start);
    const fieldEnd = colon < 0 || colon > end ? end : colon;
    const field = text.slice(start, fieldEnd);
    if (field !== 'data' && field !== 'event') return;
    const valueStart = text[fieldEnd + 1] === ' ' ? fieldEnd + 2 : fieldEnd + 1;
    const value = text.slice(Math.min(valueStart, end), end);
    if (field === 'event') this.#event = value;
    else this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
  }
}
