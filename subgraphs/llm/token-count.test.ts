import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { countTokens as realCount } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, it } from 'vitest';
import { countTokens, estimateMessagesTokens } from './token-count.ts';

const source = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const samples: Readonly<Record<string, string>> = {
  'English prose':
    'Universal Sentence Encoder turns text into vectors that serve classification, similarity and clustering. It comes in two variations, and both trade accuracy for the computation that they need.',
  Ukrainian:
    'Кожен агент відповідає на запитання учасників, пам’ятає розмови та користується інструментами. Вартість кожної відповіді записується до бази даних.',
  German:
    'Die Vermittlungsstelle rechnet jede Antwort ab, auch dann, wenn die Verbindung während der Übertragung abgebrochen wird.',
  Chinese: '人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神相对待。',
  Japanese: 'すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。',
  TypeScript: source('./model-catalogue.ts'),
  JSON: source('./models.json'),
};

describe('counting tokens without a tokenizer', () => {
  it.each(Object.keys(samples))('comes within a quarter of the real count for %s', (name) => {
    const text = samples[name] ?? '';
    const ratio = countTokens(text) / realCount(text);
    expect(ratio).toBeGreaterThan(0.75);
    expect(ratio).toBeLessThan(1.25);
  });

  it('gives each text at least one token and no text none', () => {
    expect(countTokens('')).toBe(0);
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }), (text) => {
        const tokens = countTokens(text);
        expect(Number.isSafeInteger(tokens)).toBe(true);
        expect(tokens).toBeGreaterThanOrEqual(1);
        expect(tokens).toBeLessThanOrEqual(text.length * 2);
      }),
    );
  });

  it('counts a huge text from samples of it', () => {
    const paragraph = samples['English prose'] ?? '';
    const times = 5_000;
    expect(countTokens(paragraph.repeat(times)) / (countTokens(paragraph) * times)).toBeCloseTo(1, 1);
  });

  it('counts messages with their images, calls and tools', () => {
    const plain = estimateMessagesTokens([{ role: 'user', content: 'Hello there' }]);
    expect(plain).toBe(6);
    const image = estimateMessagesTokens([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Hello there' },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${'A'.repeat(100_000)}` } },
        ],
      },
    ]);
    expect(image - plain).toBe(800);
    expect(
      estimateMessagesTokens([{ role: 'user', content: 'Hello there' }], [{ name: 'get_weather' }]),
    ).toBeGreaterThan(plain);
    expect(
      estimateMessagesTokens([
        { role: 'assistant', content: null, toolCalls: [{ id: 'a', name: 'get_weather', arguments: '{}' }] },
      ]),
    ).toBeGreaterThan(4);
  });
});
