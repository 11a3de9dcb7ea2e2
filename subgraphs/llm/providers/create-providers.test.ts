import { expect, it } from 'vitest';
import { startMockUpstream } from '#test/mock-upstream/server.ts';
import { createProviders } from './create-providers.ts';

const never = new AbortController().signal;

it('builds what is configured, and the demo and bundled models unless they are switched off', async () => {
  expect([...createProviders({}).providers.keys()]).toEqual(['demo', 'bundled']);
  expect([...createProviders({ demo: false, bundled: false }).providers.keys()]).toEqual([]);
  const { providers, localModels } = createProviders({
    openai: { apiKey: 'k' },
    anthropic: { apiKey: 'k' },
    deepseek: { apiKey: 'k' },
    local: { baseUrl: 'http://127.0.0.1:11434/v1' },
  });
  expect([...providers.keys()]).toEqual(['openai', 'anthropic', 'deepseek', 'local', 'demo', 'bundled']);
  for (const [name, provider] of providers) {
    expect(provider.name).toBe(name);
    await provider.close();
  }
  expect(localModels).toBe(providers.get('local'));
});

it('limits Anthropic’s answers by the catalogue when the request has no limit', async () => {
  const upstream = await startMockUpstream();
  const { providers } = createProviders({ anthropic: { apiKey: 'k', baseUrl: upstream.anthropicBaseUrl } });
  const anthropic = providers.get('anthropic')!;
  await anthropic.complete({ model: 'claude-haiku-4-5-20251001', messages: [{ role: 'user', content: 'Hi' }] }, never);
  expect(upstream.requests[0]?.body).toMatchObject({ max_tokens: 64_000, model: 'claude-haiku-4-5-20251001' });
  await anthropic.close();
  await upstream.close();
});
