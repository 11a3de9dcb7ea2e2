import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { calcPrice } from '@pydantic/genai-prices';
import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ModelCatalogueOptions, createModelCatalogue, requireCapabilities } from './model-catalogue.ts';
import { loadModels } from './model-catalogue-file.ts';
import { editDistance, nearNames } from './model-catalogue-near-names.ts';
import type { ProviderName } from './providers/provider.ts';

const all: readonly ProviderName[] = ['openai', 'anthropic', 'deepseek', 'local', 'demo', 'bundled'];
const localModels = (...names: string[]) => ({ list: async () => ({ names, reason: null }) });
const catalogue = (configuredProviders: readonly ProviderName[], options: Partial<ModelCatalogueOptions> = {}) =>
  createModelCatalogue({
    models: loadModels(),
    configuredProviders,
    localModels: localModels('llama3.2:latest', 'qwen3'),
    ...options,
  });
const modelsFile = (content: unknown): string => {
  const path = join(mkdtempSync(join(tmpdir(), 'models-')), 'models.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
};

describe('resolving a model name', () => {
  it('takes an id, the vendor’s own name, an alias and a dated snapshot', async () => {
    const models = catalogue(all);
    for (const name of ['openai/gpt-4o-mini', 'gpt-4o-mini', 'fast', 'openai/fast']) {
      expect(await models.resolve(name)).toMatchObject({
        id: 'openai/gpt-4o-mini',
        provider: 'openai',
        name: 'gpt-4o-mini',
        known: true,
      });
    }
    expect(await models.resolve('gpt-4o-2024-08-06')).toMatchObject({
      id: 'openai/gpt-4o',
      name: 'gpt-4o-2024-08-06',
      price: { inputUsd: '2.5' },
    });
    expect(await models.resolve('openai/gpt-4o-2024-08-06')).toMatchObject({ name: 'gpt-4o-2024-08-06', known: true });
    expect(await models.resolve('claude')).toMatchObject({ provider: 'anthropic' });
  });

  it('gives a shared alias to the first vendor that is configured', async () => {
    expect(await catalogue(['anthropic']).resolve('fast')).toMatchObject({ provider: 'anthropic' });
    expect(await catalogue(['deepseek', 'anthropic']).resolve('fast')).toMatchObject({ provider: 'anthropic' });
    expect(await catalogue(['deepseek']).resolve('fast')).toMatchObject({ id: 'deepseek/deepseek-chat' });
  });

  it('passes an unknown model of a configured provider through, without a price until one is set', async () => {
    expect(await catalogue(all).resolve('openai/gpt-next')).toEqual({
      id: 'openai/gpt-next',
      provider: 'openai',
      name: 'gpt-next',
      price: null,
      contextWindow: null,
      maxOutputTokens: null,
      dimensions: null,
      capabilities: [],
      known: false,
      standInFor: undefined,
    });
    expect(await catalogue(all).resolve('local/meta-llama/Llama-3:8b')).toMatchObject({
      name: 'meta-llama/Llama-3:8b',
    });
    const price = { inputUsd: '1', outputUsd: '2', cachedInputUsd: '0.5', version: 'v1' };
    const priced = catalogue(all, {
      priceOverride: (provider, name) => (provider === 'openai' && name === 'gpt-next' ? price : undefined),
    });
    expect((await priced.resolve('openai/gpt-next')).price).toEqual(price);
    expect((await priced.resolve('gpt-4o')).price?.inputUsd).toBe('2.5');
  });

  it('lets a price set at run time win over the catalogue’s, for its snapshots too', async () => {
    const price = { inputUsd: '1', outputUsd: '2', cachedInputUsd: '0.5', version: 'v1' };
    const models = catalogue(all, { priceOverride: (_, name) => (name === 'gpt-4o' ? price : undefined) });
    expect((await models.resolve('gpt-4o')).price).toEqual(price);
    expect((await models.resolve('gpt-4o-2024-11-20')).price).toEqual(price);
  });

  it('finds a local server’s models by their bare name', async () => {
    expect(await catalogue(all).resolve('llama3.2')).toMatchObject({ provider: 'local', name: 'llama3.2:latest' });
    expect(await catalogue(all).resolve('qwen3')).toMatchObject({ provider: 'local', name: 'qwen3' });
    await expect(catalogue(['openai']).resolve('qwen3')).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
  });

  it('lets the demo model answer for the catalogue’s chat models while no vendor is configured', async () => {
    const models = catalogue(['demo', 'bundled']);
    expect(models.demoAnswersForAll).toBe(true);
    for (const name of ['gpt-4', 'openai/gpt-4', 'claude', 'deepseek-chat', 'smart']) {
      const model = await models.resolve(name, 'chat');
      expect(model).toMatchObject({
        id: 'demo/demo',
        provider: 'demo',
        name: 'demo',
        price: { inputUsd: '0', outputUsd: '0' },
      });
      expect(model.standInFor).toMatch(/^(openai|anthropic|deepseek)\//);
    }
    expect(await models.resolve('demo')).toMatchObject({ provider: 'demo', standInFor: undefined });
    await expect(models.resolve('gpt-five')).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
    await expect(models.resolve('openai/gpt-five')).rejects.toMatchObject({
      code: 'PROVIDER_NOT_CONFIGURED',
      message: expect.stringContaining('OPENAI_API_KEY'),
    });
    await expect(models.resolve('text-embedding-3-small', 'embedding')).rejects.toMatchObject({
      code: 'PROVIDER_NOT_CONFIGURED',
      message: expect.stringMatching(/OPENAI_API_KEY.*universal-sentence-encoder/),
    });
  });

  it('names the setting of a provider that is not configured while another one is', async () => {
    const models = catalogue(['openai', 'demo', 'bundled']);
    expect(models.demoAnswersForAll).toBe(false);
    await expect(models.resolve('claude')).rejects.toMatchObject({
      code: 'PROVIDER_NOT_CONFIGURED',
      message: expect.stringContaining('ANTHROPIC_API_KEY'),
    });
    await expect(models.resolve('local/llama3')).rejects.toMatchObject({
      code: 'PROVIDER_NOT_CONFIGURED',
      message: expect.stringContaining('LOCAL_LLM_BASE_URL'),
    });
    expect(await models.resolve('demo')).toMatchObject({ provider: 'demo' });
  });

  it('names near ones of a name nobody knows', async () => {
    const models = catalogue(all);
    await expect(models.resolve('gpt4o')).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
      message: expect.stringContaining('gpt-4o'),
    });
    await expect(models.resolve('cluade')).rejects.toMatchObject({ message: expect.stringContaining('claude') });
    await expect(models.resolve('qwen')).rejects.toMatchObject({ message: expect.stringContaining('qwen3') });
    await expect(models.resolve('mistral/large-2-instruct-turbo')).rejects.toMatchObject({
      message: expect.stringContaining('provider/model'),
    });
  });

  it('keeps a hostile name out of the message and never breaks on one', async () => {
    const models = catalogue(all);
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 120 }),
          fc.constantFrom('', '/', 'openai/', 'demo/x', 'bundled/x', '__proto__', 'openai/\0'),
        ),
        async (name) => {
          try {
            await models.resolve(name);
          } catch (error) {
            expect(error).toMatchObject({ code: expect.stringMatching(/^MODEL_NOT_FOUND$/) });
            expect((error as Error).message).not.toMatch(/[\u0000-\u001f]/);
            expect((error as Error).message.length).toBeLessThan(600);
          }
        },
      ),
    );
  });

  it('says when a model is of the wrong kind', async () => {
    await expect(catalogue(all).resolve('text-embedding-3-small', 'chat')).rejects.toMatchObject({
      code: 'UNSUPPORTED_BY_MODEL',
    });
    await expect(catalogue(all).resolve('gpt-4o', 'embedding')).rejects.toMatchObject({ code: 'UNSUPPORTED_BY_MODEL' });
    await expect(catalogue(['demo', 'bundled']).resolve('demo', 'embedding')).rejects.toMatchObject({
      code: 'UNSUPPORTED_BY_MODEL',
    });
  });

  it('embeds with the bundled model unless there is a key or a setting', () => {
    expect(catalogue(['demo', 'bundled']).defaultEmbeddingModel).toBe('bundled/universal-sentence-encoder');
    expect(catalogue(['openai', 'bundled']).defaultEmbeddingModel).toBe('openai/text-embedding-3-small');
    expect(catalogue(all, { embeddingModel: 'local/nomic-embed-text' }).defaultEmbeddingModel).toBe(
      'local/nomic-embed-text',
    );
  });
});

describe('listing models', () => {
  it('tells what is available and what to do about the rest', async () => {
    const list = await catalogue(['openai', 'local', 'bundled']).list();
    const byId = new Map(list.map((model) => [model.id, model]));
    expect(byId.get('openai/gpt-4o')).toMatchObject({ available: true, reason: null });
    expect(byId.get('anthropic/claude-sonnet-5')).toMatchObject({
      available: false,
      reason: expect.stringContaining('ANTHROPIC_API_KEY'),
    });
    expect(byId.get('local/qwen3')).toMatchObject({ available: true, price: null, known: false });
    expect(byId.has('demo/demo')).toBe(false);
  });

  it('names the stand-in while no vendor is configured', async () => {
    const models = catalogue(['demo', 'bundled']);
    expect(await models.find('gpt-4')).toMatchObject({
      id: 'openai/gpt-4',
      provider: 'openai',
      available: true,
      reason: expect.stringContaining('demo'),
    });
    expect(await models.find('nothing')).toBeUndefined();
  });

  it('shows an unreachable local server as the reason', async () => {
    const models = catalogue(['local'], {
      localModels: { list: async () => ({ names: [], reason: 'The local server cannot be reached.' }) },
    });
    expect(await models.find('local/anything')).toMatchObject({
      available: false,
      reason: 'The local server cannot be reached.',
    });
  });
});

describe('capabilities', () => {
  const messages = [{ role: 'user', content: 'hi' }] as const;
  it('refuses what a known model cannot do, by field', async () => {
    const models = catalogue(all);
    const gpt4 = await models.resolve('gpt-4');
    const image = [
      { role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://example.org/cat.png' } }] },
    ] as const;
    expect(() => requireCapabilities(gpt4, { messages })).not.toThrow();
    expect(() => requireCapabilities(gpt4, { messages: image })).toThrow(/cannot see images/);
    expect(() =>
      requireCapabilities(gpt4, { messages, responseFormat: { type: 'json_schema', name: 'x', schema: {} } }),
    ).toThrow(/JSON schema/);
    expect(() => requireCapabilities(gpt4, { messages, reasoning: { effort: 'high' } })).toThrow(/does not reason/);
    expect(() => requireCapabilities(gpt4, { messages, reasoning: { effort: 'none' } })).not.toThrow();
    const unknown = await models.resolve('openai/gpt-next');
    expect(() => requireCapabilities(unknown, { messages: image, reasoning: { effort: 'high' } })).not.toThrow();
  });
});

describe('the catalogue file', () => {
  it('has prices that a second source confirms', () => {
    // Its prices of deepseek-chat and -reasoner are those of 2025's hours of the day; ours are DeepSeek's own page's.
    const skipped = new Set(['deepseek/deepseek-chat', 'deepseek/deepseek-reasoner']);
    const timestamp = new Date('2026-11-05T12:00:00Z');
    for (const model of loadModels().filter(
      (entry) => !skipped.has(entry.id) && entry.provider !== 'demo' && entry.provider !== 'bundled',
    )) {
      const known = calcPrice({ input_tokens: 1000 }, model.name, {
        providerId: model.provider,
        timestamp,
      })?.model_price;
      const base = (value: unknown): number =>
        typeof value === 'object' && value !== null ? (value as { base: number }).base : Number(value ?? 0);
      expect.soft(model.price?.inputUsd, model.id).toBe(new Decimal(base(known?.['input_mtok'])).toFixed());
      expect.soft(model.price?.outputUsd, model.id).toBe(new Decimal(base(known?.['output_mtok'])).toFixed());
    }
  });

  it('holds every name once', () => {
    const names = loadModels().flatMap((model) => [model.name, ...model.snapshots]);
    expect(new Set(names).size).toBe(names.length);
  });

  it('is overridden by id: what an entry leaves out stays, new ids are added', async () => {
    const path = modelsFile({
      priceVersion: 'contract-7',
      models: [
        { id: 'gpt-4o', price: { inputUsd: '2.00', outputUsd: '8', cachedInputUsd: '1' } },
        { id: 'openai/gpt-4', price: null, aliases: ['old'] },
        {
          id: 'house',
          provider: 'local',
          name: 'llama3.2',
          capabilities: ['chat', 'streaming'],
          aliases: ['our-model'],
        },
      ],
    });
    const models = catalogue(all, { models: loadModels(path) });
    expect(await models.resolve('gpt-4o')).toMatchObject({
      price: { inputUsd: '2.00', version: 'contract-7' },
      contextWindow: 128_000,
    });
    expect(await models.resolve('old')).toMatchObject({ id: 'openai/gpt-4', price: null });
    expect(await models.resolve('our-model')).toMatchObject({ id: 'local/house', provider: 'local', name: 'llama3.2' });
    expect(await models.resolve('house')).toMatchObject({ name: 'llama3.2' });
    expect((await models.resolve('gpt-4o-mini')).price?.version).toMatch(/^catalogue-/);
  });

  it('names its prices by its content when it has no version of its own', () => {
    const one = loadModels(modelsFile([{ id: 'gpt-4o', price: { inputUsd: '2' } }])).find(
      (model) => model.id === 'openai/gpt-4o',
    );
    const two = loadModels(modelsFile([{ id: 'gpt-4o', price: { inputUsd: '3' } }])).find(
      (model) => model.id === 'openai/gpt-4o',
    );
    expect(one?.price?.version).toMatch(/^models-file-[0-9a-f]{12}$/);
    expect(one?.price?.version).not.toBe(two?.price?.version);
  });

  it('reports every problem at once', () => {
    const path = modelsFile({
      models: [{ id: 'openai/a', price: { inputUsd: 2.5, outputUsd: '-1' }, colour: 'red' }, { provider: 'nobody' }],
    });
    expect(() => loadModels(path)).toThrow(expect.objectContaining({ name: 'ConfigError' }));
    try {
      loadModels(path);
    } catch (error) {
      const { message } = error as Error;
      for (const part of [
        'models[0].price.inputUsd',
        'models[0].price.outputUsd',
        'colour',
        'models[1].id',
        'models[1].provider',
      ])
        expect(message).toContain(part);
    }
    expect(() => loadModels(modelsFile({ models: [{ id: 'mystery' }, { id: 'openai/x' }] }))).toThrow(
      /models\[0\]\.provider[\s\S]*models\[1\]\.capabilities/,
    );
    expect(() => loadModels(modelsFile('{"models": ['))).toThrow(/is not JSON/);
    expect(() => loadModels('/nowhere/models.json')).toThrow(/cannot be read \(ENOENT\)/);
  });
});

describe('near names', () => {
  it('counts edits as Levenshtein does', () => {
    expect(editDistance('kitten', 'sitting')).toBe(3);
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (left, right) => {
        const distance = editDistance(left, right);
        expect(distance).toBe(editDistance(right, left));
        expect(distance === 0).toBe(left === right);
        expect(distance).toBeLessThanOrEqual(Math.max(left.length, right.length));
      }),
    );
  });
  it('returns a few at most', () => {
    expect(nearNames('gpt', ['gpt-1', 'gpt-2', 'gpt-3', 'gpt-4'])).toHaveLength(3);
    expect(nearNames('', ['a'])).toEqual([]);
  });
});
