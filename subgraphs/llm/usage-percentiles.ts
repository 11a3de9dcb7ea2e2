/**
 * Percentiles from logarithmic buckets, each within 2 % of the true one: DDSketch (Masson, Rim, Lee: "DDSketch: A Fast
 * and Fully-Mergeable Quantile Sketch with Relative-Error Guarantees", PVLDB 12(12), 2019). SQL's
 * `llm.latency_bucket` makes the buckets; they can be added, so the percentiles of any set of rows come from sums.
 */
export const relativeAccuracy = 0.02;
const gamma = (1 + relativeAccuracy) / (1 - relativeAccuracy);

/** Same as `llm.latency_bucket`: 0 for 0 ms, i > 0 for (gamma^(i-2), gamma^(i-1)] ms. */
export const latencyBucket = (latencyMs: number): number =>
  latencyMs <= 0 ? 0 : Math.ceil(Math.log(latencyMs) / Math.log(gamma) - 1e-9) + 1;

/** The value that is within the accuracy of every value of a bucket. */
export const bucketValue = (bucket: number): number => (bucket === 0 ? 0 : (2 * gamma ** (bucket - 1)) / (gamma + 1));

/** Counts by bucket. */
export class LatencyHistogram {
  readonly #counts: number[] = [];
  #total = 0;

  /** @param text `bucket:count` pairs joined by commas, buckets in any order and more than once */
  add(text: string): this {
    let bucket = 0;
    let value = 0;
    let digits = 0;
    for (let index = 0; index <= text.length; index += 1) {
      const code = index === text.length ? 44 : text.charCodeAt(index);
      if (code === 58) {
        bucket = value;
        value = 0;
        digits = 0;
      } else if (code === 44) {
        if (digits > 0) this.#add(bucket, value);
        value = 0;
        digits = 0;
      } else {
        value = value * 10 + code - 48;
        digits += 1;
      }
    }
    return this;
  }

  #add(bucket: number, count: number): void {
    while (this.#counts.length <= bucket) this.#counts.push(0);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
    this.#total += count;
  }

  merge(other: LatencyHistogram): this {
    other.#counts.forEach((count, bucket) => count > 0 && this.#add(bucket, count));
    return this;
  }

  /** The nearest-rank percentile in milliseconds: the smallest value that `share` of all are at or below. */
  percentile(share: number): number | null {
    if (this.#total === 0) return null;
    const rank = Math.max(1, Math.ceil(share * this.#total - 1e-9));
    let seen = 0;
    for (let bucket = 0; bucket < this.#counts.length; bucket += 1) {
      seen += this.#counts[bucket] ?? 0;
      if (seen >= rank) return bucketValue(bucket);
    }
    return null;
  }
}
