import { randomFillSync } from 'node:crypto';

const pool = Buffer.alloc(8 * 512);
let poolOffset = pool.length;
let lastTimeMs = 0;
let sequence = 0;

/**
 * A UUIDv7 (RFC 9562 §5.7) whose 12 bits after the time count up within a millisecond (§6.2, method 1), so that ids made
 * in one process sort in the order they were made. The clock stepping back does not turn that order.
 *
 * @param nowMs Unix milliseconds; the id's time, except where more than 4,096 ids fall into one millisecond
 */
export function uuidV7(nowMs: number = Date.now()): string {
  if (nowMs > lastTimeMs) {
    lastTimeMs = nowMs;
    sequence = 0;
  } else if (++sequence > 0xfff) {
    lastTimeMs += 1;
    sequence = 0;
  }
  if (poolOffset === pool.length) {
    randomFillSync(pool);
    poolOffset = 0;
  }
  const time = lastTimeMs.toString(16).padStart(12, '0');
  const variant = ((pool[poolOffset] ?? 0) & 0x3f) | 0x80;
  const random = variant.toString(16) + pool.toString('hex', poolOffset + 1, poolOffset + 8);
  poolOffset += 8;
  return `${time.slice(0, 8)}-${time.slice(8)}-7${sequence.toString(16).padStart(3, '0')}-${random.slice(0, 4)}-${random.slice(4)}`;
}

/** When an id was made, in Unix milliseconds. */
export const timeOfUuidV7 = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
