import { afterAll, describe, expect, it } from 'vitest';
import { BundledProvider } from './bundled.ts';
import type { Provider } from './provider.ts';

const provider: Provider = new BundledProvider({ waitingCharactersMax: 30_000 });
afterAll(() => provider.close());
const never = new AbortController().signal;
const embed = (texts: readonly string[], signal = never) =>
  provider.embed!({ model: 'universal-sentence-encoder', texts }, signal);
const dot = (left: Float32Array, right: Float32Array): number =>
  left.reduce((sum, value, index) => sum + value * (right[index] ?? 0), 0);

describe('the bundled embedding model', () => {
  it('gives like texts like directions, of 512 numbers and length 1', async () => {
    const { vectors, model, inputTokens } = await embed([
      'The cat sits on the mat',
      'A kitten is on a rug',
      'Stock prices fell today',
    ]);
    expect(model).toBe('universal-sentence-encoder');
    expect(inputTokens).toBeGreaterThan(10);
    const [cat, kitten, stocks] = vectors as [Float32Array, Float32Array, Float32Array];
    for (const vector of vectors) {
      expect(vector).toHaveLength(512);
      expect(dot(vector, vector)).toBeCloseTo(1, 4);
    }
    expect(dot(cat, kitten)).toBeGreaterThan(dot(cat, stocks) + 0.2);
  });

  it('gives each of many requests at once its own vectors, the same as alone', async () => {
    const texts = Array.from({ length: 12 }, (_, index) => `text number ${index} about subject ${index * 7}`);
    const together = await Promise.all(texts.map((text) => embed([text])));
    const alone = await embed([texts[5]!]);
    expect(dot(together[5]!.vectors[0]!, alone.vectors[0]!)).toBeCloseTo(1, 3);
    expect(new Set(together.map(({ vectors }) => String(vectors[0]?.slice(0, 4)))).size).toBe(12);
  });

  it('takes long texts in pieces, and any characters', async () => {
    const { vectors } = await embed(['word '.repeat(500), '\u0000\ud800 😀', ' ']);
    expect(vectors.every((vector) => vector.every(Number.isFinite))).toBe(true);
    expect(dot(vectors[0]!, (await embed(['word word word'])).vectors[0]!)).toBeGreaterThan(0.3);
  });

  it('keeps the main thread free', async () => {
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    await embed(Array.from({ length: 40 }, (_, index) => `a text of some length about the topic number ${index}`));
    clearInterval(timer);
    expect(turns).toBeGreaterThan(10);
  });

  it('stops waiting when the signal is aborted, refuses too much at once, and goes on', async () => {
    const abort = new AbortController();
    const running = embed(['x '.repeat(10_000)]);
    const waiting = embed(['later'], abort.signal);
    await expect(embed(['y'.repeat(20_000)])).rejects.toMatchObject({ code: 'PROVIDER_UNAVAILABLE', retryable: true });
    abort.abort(new Error('left'));
    await expect(waiting).rejects.toThrow('left');
    await running;
    expect((await embed(['again'])).vectors).toHaveLength(1);
  });

  it('says what it cannot do', async () => {
    await expect(provider.embed!({ model: 'x', texts: ['a'], dimensions: 256 }, never)).rejects.toMatchObject({
      code: 'UNSUPPORTED_BY_MODEL',
      details: [{ path: 'dimensions' }],
    });
    await expect(provider.complete({ model: 'x', messages: [] }, never)).rejects.toMatchObject({
      code: 'UNSUPPORTED_BY_MODEL',
    });
    const closed = new BundledProvider();
    await closed.close();
    await expect(closed.embed({ model: 'x', texts: ['a'] }, never)).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
  });
});
