import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EventStreamParser, EventTooLongError, type ServerSentEvent } from './event-stream-parser.ts';

function parse(text: string, cuts: readonly number[] = []): ServerSentEvent[] {
  const bytes = Buffer.from(text);
  const parser = new EventStreamParser(1_000_000);
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...places].flatMap((start, index) => parser.push(bytes.subarray(start, places[index] ?? bytes.length)));
}

describe('the event stream parser', () => {
  test('reads what graphql-sse sends', () => {
    expect(
      parse(':\n\nevent: next\ndata: {"data":{"a":"data: \\n\\n event: complete"}}\n\nevent: complete\ndata:\n\n'),
    ).toEqual([
      { event: 'next', data: '{"data":{"a":"data: \\n\\n event: complete"}}' },
      { event: 'complete', data: '' },
    ]);
  });

  test('gives a named event without data, as `complete` may come', () => {
    expect(parse('event: complete\n\n')).toEqual([{ event: 'complete', data: '' }]);
  });

  test('gives what some servers leave without the last empty line', () => {
    const parser = new EventStreamParser(1_000);
    expect([...parser.push(Buffer.from('data: a\n\ndata: [DONE]')), ...parser.flush()].map(({ data }) => data)).toEqual(
      ['a', '[DONE]'],
    );
    expect(parser.flush()).toEqual([]);
  });

  test('takes one line feed for the carriage return before it, and no second one, when each comes alone', () => {
    const parser = new EventStreamParser(1_000);
    const events = ['data: x\r', '\n', '\n', '\n'].flatMap((chunk) => parser.push(Buffer.from(chunk)));
    expect(events).toEqual([{ event: 'message', data: 'x' }]);
  });

  test('agrees with the reference parser on any text, cut anywhere, also inside characters and line ends', () => {
    const line = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.string({ unit: 'binary', maxLength: 20 }).map((text) => `data: ${text.replace(/[\r\n\0]/g, '')}`),
      },
      fc.constantFrom(
        'data',
        'data:',
        'data:x',
        ':comment',
        ': ping',
        'id: 3',
        'retry: 10',
        'data: é🙂日本',
        'unknown: field',
        'data : x',
        '',
      ),
    );
    const end = fc.constantFrom('\n', '\r\n', '\r');
    const blocks = fc.array(fc.tuple(fc.array(fc.tuple(line, end), { maxLength: 4 }), end), { maxLength: 12 });
    fc.assert(
      fc.property(blocks, fc.array(fc.nat(), { maxLength: 12 }), (given, cuts) => {
        const text = given.map(([lines, last]) => lines.map((pair) => pair.join('')).join('') + last).join('');
        const expected: ServerSentEvent[] = [];
        const reference = createParser({
          onEvent: ({ event, data }) => expected.push({ event: event ?? 'message', data }),
        });
        // A carriage return at the very end leaves the reference waiting for what it could belong to.
        const closed = `${text}\n\n`;
        reference.feed(Buffer.from(closed).toString());
        expect(parse(closed, cuts)).toEqual(expected);
      }),
      { numRuns: 1_000 },
    );
  });

  test('takes time linear in a long event that comes in many small pieces', () => {
    const parser = new EventStreamParser(10_000_000);
    const piece = Buffer.from('x'.repeat(100));
    const startedAt = performance.now();
    parser.push(Buffer.from('data: '));
    for (let count = 0; count < 50_000; count += 1) parser.push(piece);
    expect(parser.push(Buffer.from('\n\n'))[0]?.data).toHaveLength(5_000_000);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test('refuses an event beyond its bound', () => {
    const parser = new EventStreamParser(1_000);
    expect(() => {
      for (let count = 0; count < 20; count += 1) parser.push(Buffer.from('data: '.padEnd(100, 'x')));
    }).toThrow(EventTooLongError);
  });
});
