import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { costOfTokens, sumOfCosts, type TokenPrice } from './usage-cost.ts';

/** `12.34` as a whole number of 10^-10, by string arithmetic alone. */
const scaled = (text: string): bigint => {
  const [whole = '0', fraction = ''] = text.split('.');
  return BigInt(whole + fraction.padEnd(10, '0'));
};
const usd = fc
  .tuple(fc.integer({ min: 0, max: 999_999 }), fc.integer({ min: 0, max: 9_999_999_999 }))
  .map(([whole, fraction]) => `${whole}.${String(fraction).padStart(10, '0')}`);
const price: fc.Arbitrary<TokenPrice> = fc.record({ inputUsd: usd, outputUsd: usd, cachedInputUsd: usd });
const tokens = fc.integer({ min: 0, max: 1_000_000_000 });
const usage = fc.tuple(tokens, tokens, fc.double({ min: 0, max: 1, noNaN: true })).map(([input, output, share]) => ({
  inputTokens: input,
  outputTokens: output,
  cachedInputTokens: Math.floor(input * share),
  reasoningTokens: 0,
}));

describe('the cost of tokens', () => {
  it('is exact, rounded once and half up at the tenth decimal', () => {
    fc.assert(
      fc.property(usage, price, (used, per) => {
        const millionths =
          BigInt(used.inputTokens - used.cachedInputTokens) * scaled(per.inputUsd) +
          BigInt(used.cachedInputTokens) * scaled(per.cachedInputUsd) +
          BigInt(used.outputTokens) * scaled(per.outputUsd);
        const expected = (millionths + 500_000n) / 1_000_000n;
        expect(scaled(costOfTokens(used, per) ?? '')).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });

  it('adds up: a request costs what its attempts cost', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(usage, price), { minLength: 1, maxLength: 5 }), (attempts) => {
        const costs = attempts.map(([used, per]) => costOfTokens(used, per));
        expect(scaled(sumOfCosts(costs) ?? '')).toBe(costs.reduce((sum, cost) => sum + scaled(cost ?? ''), 0n));
      }),
    );
  });

  it('is known for one cached token of the cheapest model', () => {
    const cheap = { inputUsd: '0.05', outputUsd: '0.4', cachedInputUsd: '0.0001' };
    const one = { inputTokens: 1, cachedInputTokens: 1, outputTokens: 0, reasoningTokens: 0 };
    expect(costOfTokens(one, cheap)).toBe('0.0000000001');
  });

  it('is unknown without a price, unless nothing was used', () => {
    const used = { inputTokens: 1, cachedInputTokens: 0, outputTokens: 1, reasoningTokens: 0 };
    expect(costOfTokens(used, null)).toBeNull();
    expect(costOfTokens({ ...used, inputTokens: 0, outputTokens: 0 }, null)).toBe('0.0000000000');
    expect(sumOfCosts(['1.0000000000', null])).toBeNull();
  });
});
