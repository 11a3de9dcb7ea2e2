import { AppError } from '#platform/errors.ts';
import type { Provider, ProviderName } from './providers/provider.ts';

/** Most texts and characters of one upstream call. OpenAI takes 2,048 texts and 300,000 tokens in all. */
const limits: Partial<Record<ProviderName, { readonly texts: number; readonly chars: number }>> = {
  openai: { texts: 2_048, chars: 600_000 },
  bundled: { texts: 64, chars: 100_000 },
};
const usualLimit = { texts: 256, chars: 200_000 };

/** Splits texts, in order, into what the provider takes at once; a longer text goes alone. */
export function* embedBatches(provider: ProviderName, texts: readonly string[]): Generator<readonly string[]> {
  const limit = limits[provider] ?? usualLimit;
  let batch: string[] = [];
  let chars = 0;
  for (const text of texts) {
    if (batch.length > 0 && (batch.length >= limit.texts || chars + text.length > limit.chars)) {
      yield batch;
      batch = [];
      chars = 0;
    }
    batch.push(text);
    chars += text.length;
  }
  if (batch.length > 0) yield batch;
}

export interface EmbeddedBatch {
  readonly model: string;
  readonly vectors: readonly Float32Array[];
  /** Null when the provider told none. */
  readonly inputTokens: number | null;
}

/**
 * One upstream call, its answer checked: a vector for each text, all of one length, every number finite.
 *
 * @throws AppError of the provider, UNSUPPORTED_BY_MODEL when it has no embeddings, PROVIDER_BAD_RESPONSE
 */
export async function embedBatch(
  provider: Provider,
  model: string,
  texts: readonly string[],
  dimensions: number | undefined,
  signal: AbortSignal,
): Promise<EmbeddedBatch> {
  if (provider.embed === undefined)
    throw new AppError('UNSUPPORTED_BY_MODEL', `The provider ${provider.name} has no embeddings.`);
  const answer = await provider.embed({ model, texts, dimensions }, signal);
  const refuse = (what: string) =>
    new AppError('PROVIDER_BAD_RESPONSE', `The provider ${provider.name} answered with ${what}.`);
  const { vectors } = answer;
  if (vectors.length !== texts.length) throw refuse(`${vectors.length} vectors for ${texts.length} texts`);
  const length = dimensions ?? vectors[0]?.length ?? 0;
  for (const vector of vectors) {
    if (vector.length !== length || length === 0)
      throw refuse(`a vector of ${vector.length} dimensions instead of ${length}`);
    if (!vector.every(Number.isFinite)) throw refuse('a vector that holds something else than finite numbers');
  }
  return { model: answer.model, vectors, inputTokens: answer.inputTokens };
}
