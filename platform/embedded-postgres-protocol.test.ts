import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameReader, ProtocolViolation, query, statusOfAnswer, type Frame } from './embedded-postgres-protocol.ts';

function message(type: string, body: string): Buffer {
  const bytes = Buffer.from(body, 'latin1');
  const header = Buffer.alloc(5);
  header.write(type, 'latin1');
  header.writeInt32BE(bytes.length + 4, 1);
  return Buffer.concat([header, bytes]);
}

const parse = message('P', '\0select 1\0\0\0');
const bind = message('B', '\0\0\0\0\0\0\0\0');
const execute = message('E', '\0\0\0\0\0');
const sync = message('S', '');
const flush = message('H', '');

function framesOf(chunks: readonly Buffer[]): Frame[] {
  const reader = new FrameReader();
  const frames: Frame[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) frames.push(frame);
  }
  return frames;
}

describe('units of the wire protocol', () => {
  test('are the same however the network cuts the bytes', () => {
    const anyMessage = fc.oneof(
      fc.constantFrom(parse, bind, execute, sync, flush),
      fc.string({ maxLength: 300 }).map((text) => message('Q', `${text.replaceAll('\0', '')}\0`)),
    );
    fc.assert(
      fc.property(
        fc.array(anyMessage, { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (messages, sizes) => {
          const stream = Buffer.concat(messages);
          const pieces: Buffer[] = [];
          for (let offset = 0, turn = 0; offset < stream.length; turn += 1) {
            const size = sizes[turn % sizes.length] ?? 1;
            pieces.push(stream.subarray(offset, offset + size));
            offset += size;
          }
          expect(framesOf(pieces)).toEqual(framesOf([stream]));
        },
      ),
    );
  });

  test('end with Sync, a simple query or Flush, and only the first two promise ReadyForQuery', () => {
    const frames = framesOf([Buffer.concat([parse, flush, bind, execute, sync, query('select 2'), parse])]);
    expect(frames.map((frame) => frame.type === 'unit' && frame.unit.endsReady)).toEqual([false, true, true]);
  });

  test('with a named statement are refused, and those that rely on an earlier Parse are marked', () => {
    const named = message('P', 'mine\0select 1\0\0\0');
    const bindNamed = message('B', '\0mine\0\0\0\0\0\0\0');
    const refusals = framesOf([named, sync, bindNamed, sync, bind, sync, parse, bind, sync]).map(
      (frame) => frame.type === 'unit' && frame.unit.refusal,
    );
    expect(refusals).toEqual([
      expect.stringContaining('named'),
      expect.stringContaining('named'),
      expect.stringContaining('in one go'),
      undefined,
    ]);
  });

  test.each([
    ['an unknown message type', message('?', '')],
    ['an impossible length', Buffer.from([0x51, 0, 0, 0, 3])],
    ['more than can be taken', Buffer.from([0x51, 0x7f, 0xff, 0xff, 0xff])],
  ])('%s is a violation', (_, bytes) => {
    expect(() => framesOf([bytes])).toThrow(ProtocolViolation);
  });

  test('a first packet that is no startup is a violation, a cut one is waited for', () => {
    const http = new FrameReader();
    http.push(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    expect(() => http.nextStartup()).toThrow(ProtocolViolation);
    const cut = new FrameReader();
    cut.push(Buffer.from([0, 0, 0, 20, 0, 3, 0, 0]));
    expect(cut.nextStartup()).toBeUndefined();
  });

  test('the status is read from ReadyForQuery and from nothing that only looks like it', () => {
    expect(statusOfAnswer(Buffer.from('Z\0\0\0\x05I', 'latin1'))).toBe('I');
    expect(statusOfAnswer(Buffer.from('Z\0\0\0\x05E', 'latin1'))).toBe('E');
    expect(statusOfAnswer(Buffer.from('Z\0\0\0\x05x', 'latin1'))).toBeUndefined();
    expect(statusOfAnswer(Buffer.from('I'))).toBeUndefined();
  });
});
