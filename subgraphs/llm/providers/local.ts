import { AppError } from '#platform/errors.ts';
import { parseJson } from './json-body.ts';
import { OpenAiCompatibleProvider } from './openai-compatible.ts';
import type { OpenAiDialect } from './openai-dialect.ts';
import { ProtocolError, translateProviderError } from './provider-errors.ts';
import type { SlimFetchOptions } from './slim-fetch.ts';

export interface LocalOptions extends SlimFetchOptions {
  readonly apiKey?: string | undefined;
  /** Ends in `/v1` with most servers. */
  readonly baseUrl: string;
  /** How long a list of models is good for, in milliseconds. Default 30,000. */
  readonly modelsFreshMs?: number | undefined;
  /** How long the server may take to list them, in milliseconds. Default 2,000. */
  readonly modelsTimeoutMs?: number | undefined;
}

const dialect: OpenAiDialect = {
  name: 'local',
  title: 'The local server',
  keySetting: 'LOCAL_LLM_API_KEY',
  urlSetting: 'LOCAL_LLM_BASE_URL',
  maxTokensField: () => 'max_tokens',
  systemRole: () => 'system',
  reasoning: (effort) => ({ reasoning_effort: effort }),
  // What a server can do differs from one to the next: each tells for itself.
  lacks: { reasoningTokens: 'takes no number of reasoning tokens; use `reasoning.effort`' },
  returnsReasoning: false,
  endsWithoutMarker: true,
  embeddingEncoding: 'float',
  embeddings: true,
};

const modelsMax = 1000;

/** Ollama, vLLM, llama.cpp, or any other server that speaks OpenAI's protocol. */
export class LocalProvider extends OpenAiCompatibleProvider {
  readonly #freshMs: number;
  readonly #timeoutMs: number;
  #listed: { names: readonly string[]; reason: string | null; until: number } | undefined;
  #listing: Promise<{ names: readonly string[]; reason: string | null }> | undefined;

  constructor(options: LocalOptions) {
    super(dialect, { ...options, apiKey: options.apiKey });
    this.#freshMs = options.modelsFreshMs ?? 30_000;
    this.#timeoutMs = options.modelsTimeoutMs ?? 2_000;
  }

  async listModels(signal: AbortSignal): Promise<readonly string[]> {
    try {
      const response = await this.client.get('/models', signal);
      const body = parseJson(await response.text(), response.headers.get('content-type')) as { data?: unknown } | null;
      // Ollama without models says `data: null`.
      const data = body?.data ?? [];
      if (!Array.isArray(data)) throw new ProtocolError('it lists no models');
      const names = data
        .map((model: unknown) => (model as { id?: unknown } | null)?.id)
        .filter((id): id is string => typeof id === 'string' && id !== '');
      return [...new Set(names)].slice(0, modelsMax);
    } catch (error) {
      throw translateProviderError(dialect, error, signal, 'request');
    }
  }

  /** The catalogue's view of the models: cached, asked once at a time, and never a rejection. */
  async list(): Promise<{ readonly names: readonly string[]; readonly reason: string | null }> {
    if (this.#listed !== undefined && this.#listed.until > Date.now()) return this.#listed;
    this.#listing ??= this.#refresh().finally(() => {
      this.#listing = undefined;
    });
    return this.#listing;
  }

  async #refresh(): Promise<{ names: readonly string[]; reason: string | null }> {
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    let result: { names: readonly string[]; reason: string | null };
    try {
      result = { names: await this.listModels(timeout), reason: null };
    } catch (error) {
      if (!timeout.aborted && !(error instanceof AppError)) throw error;
      const reason =
        error instanceof AppError
          ? error.message
          : `The local server did not list its models within ${this.#timeoutMs} ms.`;
      // The last list stays known by name, so that requests say what is wrong and not that there is no such model.
      result = { names: this.#listed?.names ?? [], reason };
    }
    // A server that is down is asked again soon.
    this.#listed = {
      ...result,
      until: Date.now() + (result.reason === null ? this.#freshMs : Math.min(this.#freshMs, 5_000)),
    };
    return result;
  }
}
