import { invalidInput } from '#platform/errors.ts';

export interface Period {
  /** The client's own text. */
  readonly text: string;
  readonly from: Date;
  /** The end, not included. */
  readonly to: Date;
  /** A length back from now: whatever was settled until the query runs belongs to it. */
  readonly isUntilNow: boolean;
}

const unitsMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const daysMax = 732;
const hint = 'must be a length back from now such as 30d, 24h, 90m or 4w, or from/to in RFC 3339';

/**
 * `30d`, `24h`, `90m`, `4w`, or `from/to` where each side is an RFC 3339 date-time, or a date that stands for its
 * midnight in UTC.
 *
 * @throws AppError INVALID_INPUT for anything else, an end before its beginning, or more than two years
 */
export function parsePeriod(text: string, nowMs: number = Date.now()): Period {
  const refuse = (reason: string) => invalidInput([{ path: 'period', reason }]);
  const [, amount, unit] = /^([0-9]{1,9})([mhdw])$/.exec(text) ?? [];
  if (amount !== undefined && unit !== undefined) {
    const lengthMs = Number(amount) * (unitsMs[unit] ?? 0);
    if (lengthMs === 0) throw refuse('must not be of length zero');
    if (lengthMs > daysMax * 86_400_000) throw refuse(`must not be longer than ${daysMax} days`);
    return { text, from: new Date(nowMs - lengthMs), to: new Date(nowMs), isUntilNow: true };
  }
  const sides = text.length > 100 ? [] : text.split('/');
  const [from, to] = sides.map(parseTime);
  if (sides.length !== 2 || from === undefined || to === undefined) throw refuse(hint);
  if (from >= to) throw refuse('must end after it begins');
  if (to.getTime() - from.getTime() > daysMax * 86_400_000) throw refuse(`must not be longer than ${daysMax} days`);
  return { text, from, to, isUntilNow: false };
}

const timePattern =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?(?:[Zz]|[+-](\d{2}):(\d{2})))?$/;

function parseTime(text: string): Date | undefined {
  const match = timePattern.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour = 0, minute = 0, second = 0, offsetHour = 0, offsetMinute = 0] = match
    .slice(1)
    .map((part) => Number(part ?? 0));
  // Date.parse takes 31 February for 3 March, and 24:00 for tomorrow.
  const midnight = new Date(Date.UTC(year ?? 0, (month ?? 0) - 1, day));
  if (midnight.getUTCMonth() !== (month ?? 0) - 1 || midnight.getUTCDate() !== day || (year ?? 0) < 1970)
    return undefined;
  if (hour > 23 || minute > 59 || second > 60 || offsetHour > 23 || offsetMinute > 59) return undefined;
  // A leap second is the next minute's first one to everybody who keeps Unix time.
  const leap = second === 60 ? 1_000 : 0;
  const time = new Date(
    text
      .replace(' ', 'T')
      .toUpperCase()
      .replace(/:60(?=[.Z+-])/, ':59'),
  );
  return Number.isNaN(time.getTime()) ? undefined : new Date(time.getTime() + leap);
}
