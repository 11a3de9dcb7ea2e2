import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketValue, latencyBucket, LatencyHistogram, relativeAccuracy } from './usage-percentiles.ts';

const latency = fc.oneof(fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 0, max: 2_147_483_647 }));
const histogram = (values: readonly number[]) =>
  new LatencyHistogram().add(values.map((value) => `${latencyBucket(value)}:1`).join(','));

describe('latency percentiles', () => {
  it('stay within 2 % of the true nearest-rank value', () => {
    fc.assert(
      fc.property(
        fc.array(latency, { minLength: 1, maxLength: 300 }),
        fc.constantFrom(0.5, 0.95, 0.99, 1),
        (values, share) => {
          const sorted = values.toSorted((left, right) => left - right);
          const exact = sorted[Math.max(1, Math.ceil(share * sorted.length - 1e-9)) - 1] ?? 0;
          const told = histogram(values).percentile(share) ?? NaN;
          expect(Math.abs(told - exact)).toBeLessThanOrEqual(exact * relativeAccuracy * (1 + 1e-6));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('are the same for parts added up as for the whole', () => {
    fc.assert(
      fc.property(fc.array(latency), fc.array(latency), (left, right) => {
        const sum = histogram(left).merge(histogram(right));
        expect(sum.percentile(0.95)).toBe(histogram([...left, ...right]).percentile(0.95));
      }),
    );
  });

  it('are null for nothing, and 0 for instant answers', () => {
    expect(new LatencyHistogram().add('').percentile(0.5)).toBeNull();
    expect(histogram([0, 0, 0]).percentile(0.95)).toBe(0);
    expect(bucketValue(latencyBucket(1))).toBeCloseTo(1, 1);
  });
});
