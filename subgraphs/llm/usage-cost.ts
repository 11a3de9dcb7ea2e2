import { Decimal } from 'decimal.js';
import type { TokenUsage } from './providers/provider.ts';

/** US dollars per million tokens, exact decimals as text. */
export interface TokenPrice {
  readonly inputUsd: string;
  readonly outputUsd: string;
  readonly cachedInputUsd: string;
}

/** Decimals of a cost: a single cached token at $0.0001 per million is still exact. */
export const costDecimals = 10;

const zeroCost = '0.0000000000';

// 10^9 tokens × 10^6 dollars with 10 decimals need 26 digits; 60 keep every product and sum exact.
const Exact = Decimal.clone({ precision: 60, toExpNeg: -30, toExpPos: 60 });

/**
 * What one attempt cost, in US dollars, as `numeric` text with 10 decimals; null when the model has no price and
 * something was used.
 *
 * `(uncached input × input price + cached input × cached price + output × output price) / 10^6` is computed exactly and
 * rounded once, half away from zero, as PostgreSQL rounds `numeric`: the rows that SQL settles are rounded the same.
 */
export function costOfTokens(usage: TokenUsage, price: TokenPrice | null): string | null {
  // Nothing used costs nothing, whatever the price: a failed request of an unpriced model is not a gap in the books.
  if (usage.inputTokens === 0 && usage.outputTokens === 0) return zeroCost;
  if (price === null) return null;
  return new Exact(price.inputUsd)
    .times(usage.inputTokens - usage.cachedInputTokens)
    .plus(new Exact(price.cachedInputUsd).times(usage.cachedInputTokens))
    .plus(new Exact(price.outputUsd).times(usage.outputTokens))
    .dividedBy(1_000_000)
    .toFixed(costDecimals, Decimal.ROUND_HALF_UP);
}

/** The exact sum of attempts' costs; null as soon as one of them is unknown. */
export function sumOfCosts(costs: readonly (string | null)[]): string | null {
  let sum = new Exact(0);
  for (const cost of costs) {
    if (cost === null) return null;
    sum = sum.plus(cost);
  }
  return sum.toFixed(costDecimals);
}
