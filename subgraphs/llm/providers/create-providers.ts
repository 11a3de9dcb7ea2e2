import { loadModels, outputTokensMaxOf } from '../model-catalogue-file.ts';
import type { LocalModels } from '../model-catalogue.ts';
import { AnthropicProvider } from './anthropic.ts';
import { BundledProvider } from './bundled.ts';
import { createDeepSeekProvider } from './deepseek.ts';
import { DemoProvider } from './demo.ts';
import { LocalProvider } from './local.ts';
import { createOpenAiProvider } from './openai.ts';
import type { Provider, ProviderName } from './provider.ts';
import type { Deadlines } from './slim-fetch.ts';

export interface VendorSettings {
  readonly apiKey: string;
  /** What the vendor's own SDK takes: OpenAI's ends in `/v1`, Anthropic's does not. The vendor's own when left out. */
  readonly baseUrl?: string | undefined;
}

export interface ProviderSettings {
  readonly openai?: VendorSettings | undefined;
  readonly anthropic?: VendorSettings | undefined;
  readonly deepseek?: VendorSettings | undefined;
  readonly local?: { readonly baseUrl: string; readonly apiKey?: string | undefined } | undefined;
  readonly deadlines?: Partial<Deadlines> | undefined;
  /** Offline chat; default true. It answers for all while no vendor is configured. */
  readonly demo?: boolean | undefined;
  /** Offline embeddings; default true. */
  readonly bundled?: boolean | undefined;
  /** Wait between the words of the demo model's streams, in milliseconds. Default 15. */
  readonly demoWordDelayMs?: number | undefined;
  /** The most an Anthropic model can write, for requests that set no limit. Default: as models.json says. */
  readonly outputTokensMax?: ((model: string) => number | undefined) | undefined;
}

export interface CreatedProviders {
  /** Those that are configured; its keys are the catalogue's `configuredProviders`. */
  readonly providers: ReadonlyMap<ProviderName, Provider>;
  /** For the catalogue; undefined without a local server. */
  readonly localModels: LocalModels | undefined;
}

/** Builds the providers that have what they need. Nothing is opened or loaded before it is used. */
export function createProviders(settings: ProviderSettings): CreatedProviders {
  const { deadlines } = settings;
  const providers = new Map<ProviderName, Provider>();
  if (settings.openai !== undefined) providers.set('openai', createOpenAiProvider({ ...settings.openai, deadlines }));
  if (settings.anthropic !== undefined) {
    const outputTokensMax = settings.outputTokensMax ?? outputTokensMaxOf(loadModels(), 'anthropic');
    providers.set('anthropic', new AnthropicProvider({ ...settings.anthropic, deadlines, outputTokensMax }));
  }
  if (settings.deepseek !== undefined)
    providers.set('deepseek', createDeepSeekProvider({ ...settings.deepseek, deadlines }));
  const local = settings.local === undefined ? undefined : new LocalProvider({ ...settings.local, deadlines });
  if (local !== undefined) providers.set('local', local);
  if (settings.demo !== false) providers.set('demo', new DemoProvider({ wordDelayMs: settings.demoWordDelayMs ?? 15 }));
  if (settings.bundled !== false) providers.set('bundled', new BundledProvider());
  return { providers, localModels: local };
}
