import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePeriod } from './usage-period.ts';

const now = Date.parse('2026-11-22T12:34:56.789Z');

describe('a period', () => {
  it.each([
    ['30d', 30 * 86_400_000],
    ['24h', 86_400_000],
    ['90m', 5_400_000],
    ['4w', 4 * 604_800_000],
  ])('%s is a length back from now', (text, lengthMs) => {
    expect(parsePeriod(text, now)).toEqual({
      text,
      from: new Date(now - lengthMs),
      to: new Date(now),
      isUntilNow: true,
    });
  });

  it('takes two moments in RFC 3339, in any offset, or two dates', () => {
    const period = parsePeriod('2026-11-01T00:00:00+02:00/2026-11-02T03:04:05.5Z', now);
    expect(period).toMatchObject({
      from: new Date('2026-10-31T22:00:00Z'),
      to: new Date('2026-11-02T03:04:05.500Z'),
      isUntilNow: false,
    });
    expect(parsePeriod('2024-02-29/2024-03-01', now)).toMatchObject({
      from: new Date('2024-02-29T00:00:00Z'),
      to: new Date('2024-03-01T00:00:00Z'),
    });
    expect(parsePeriod('2016-12-31T23:59:60Z/2017-01-02', now).from).toEqual(new Date('2017-01-01T00:00:00Z'));
  });

  it.each([
    '',
    '30',
    'd',
    '0d',
    '-1d',
    '1.5h',
    '30D',
    '30 d',
    '1y',
    '733d',
    '99999999999d',
    '1e3m',
    '2026-11-01',
    '/',
    '//',
    '2026-11-01/',
    '2026-02-30/2026-03-02',
    '2025-02-29/2025-03-02',
    '2026-11-01T24:00:00Z/2026-11-03',
    '2026-11-01T10:00:00/2026-11-03',
    '2026-11-03/2026-11-01',
    '2026-11-01/2026-11-01',
    '2020-01-01/2026-01-01',
    '0000-01-01/0000-01-02',
    '30d/2026-01-01',
    '٣d',
    '30d\n',
  ])('refuses %j', (text) => {
    expect(() => parsePeriod(text, now)).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', details: [expect.objectContaining({ path: 'period' })] }),
    );
  });

  it('refuses any other text without another error', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          const { from, to } = parsePeriod(text, now);
          expect(from.getTime()).toBeLessThan(to.getTime());
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_INPUT' });
        }
      }),
    );
  });

  it('reads back every moment that was written', () => {
    const moment = fc.date({
      min: new Date('1970-01-01T00:00:00Z'),
      max: new Date('2099-01-01T00:00:00Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(moment, fc.integer({ min: 1, max: 731 * 86_400_000 }), (from, lengthMs) => {
        const to = new Date(from.getTime() + lengthMs);
        expect(parsePeriod(`${from.toISOString()}/${to.toISOString()}`, now)).toMatchObject({ from, to });
      }),
    );
  });
});
