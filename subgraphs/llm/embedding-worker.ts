import { Worker } from 'node:worker_threads';
import { AppError } from '#platform/errors.ts';

export interface EmbeddingJob {
  readonly id: number;
  readonly texts: readonly string[];
}

export type EmbeddingAnswer =
  | { readonly id: number; readonly vectors: readonly Float32Array[]; readonly inputTokens: number }
  | { readonly id: number; readonly error: string };

export interface EmbeddingResult {
  readonly vectors: readonly Float32Array[];
  readonly inputTokens: number;
}

export interface EmbeddingWorkerOptions {
  /** Most characters waiting, those being computed included; more are refused. Default 4,000,000. */
  readonly waitingCharactersMax?: number;
}

interface Waiting {
  readonly texts: readonly string[];
  readonly characters: number;
  readonly resolve: (result: EmbeddingResult) => void;
  readonly reject: (error: unknown) => void;
}

/** Requests that wait are joined up to this many texts: the model is half again as fast in batches. */
const batchTextsMax = 32;
const batchCharactersMax = 32_000;

/**
 * The bundled model on a thread of its own. The thread starts with the first text, stays, and keeps no process alive;
 * should it die, what waits is refused and the next text starts another.
 */
export class EmbeddingWorker {
  readonly #waitingCharactersMax: number;
  readonly #queue: Waiting[] = [];
  #running: { readonly id: number; readonly jobs: readonly Waiting[] } | undefined;
  #waitingCharacters = 0;
  #worker: Worker | undefined;
  #nextId = 1;
  #closed = false;

  constructor(options: EmbeddingWorkerOptions = {}) {
    this.#waitingCharactersMax = options.waitingCharactersMax ?? 4_000_000;
  }

  /**
   * @returns vectors of length 1, in the texts' order
   * @throws AppError PROVIDER_UNAVAILABLE when too much is waiting; the signal's reason
   */
  embed(texts: readonly string[], signal: AbortSignal): Promise<EmbeddingResult> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    if (this.#closed) return Promise.reject(new AppError('SHUTTING_DOWN', 'The embedding model is being stopped.'));
    const characters = texts.reduce((sum, text) => sum + text.length, 0);
    if (this.#waitingCharacters > 0 && this.#waitingCharacters + characters > this.#waitingCharactersMax) {
      return Promise.reject(
        new AppError('PROVIDER_UNAVAILABLE', 'The bundled embedding model has too much waiting; try again soon.', {
          retryAfterMs: 1_000,
        }),
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<EmbeddingResult>();
    const job: Waiting = { texts, characters, resolve, reject };
    const onAbort = (): void => {
      const index = this.#queue.indexOf(job);
      if (index >= 0) {
        this.#queue.splice(index, 1);
        this.#waitingCharacters -= characters;
      }
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#queue.push(job);
    this.#waitingCharacters += characters;
    this.#runNext();
    return promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#fail(new AppError('SHUTTING_DOWN', 'The embedding model is being stopped.'));
    await this.#worker?.terminate();
  }

  #runNext(): void {
    if (this.#running !== undefined) return;
    const jobs: Waiting[] = [];
    let texts = 0;
    let characters = 0;
    for (let job = this.#queue[0]; job !== undefined; job = this.#queue[0]) {
      if (
        jobs.length > 0 &&
        (texts + job.texts.length > batchTextsMax || characters + job.characters > batchCharactersMax)
      )
        break;
      this.#queue.shift();
      jobs.push(job);
      texts += job.texts.length;
      characters += job.characters;
    }
    if (jobs.length === 0) return;
    const id = this.#nextId;
    this.#nextId += 1;
    this.#running = { id, jobs };
    this.#thread().postMessage({ id, texts: jobs.flatMap((job) => job.texts) } satisfies EmbeddingJob);
  }

  #thread(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(new URL('embedding-worker-main.ts', import.meta.url), {
      name: 'embeddings',
      execArgv: ['--no-warnings'],
    });
    worker.unref();
    worker.on('message', (answer: EmbeddingAnswer) => this.#answered(answer));
    worker.on('error', (error) => this.#died(worker, error));
    worker.on('exit', () => this.#died(worker, new Error('The thread ended.')));
    this.#worker = worker;
    return worker;
  }

  #answered(answer: EmbeddingAnswer): void {
    const running = this.#running;
    if (running?.id !== answer.id) return;
    this.#running = undefined;
    let start = 0;
    const total = running.jobs.reduce((sum, job) => sum + job.characters, 0);
    this.#waitingCharacters -= total;
    for (const job of running.jobs) {
      if ('error' in answer) {
        job.reject(new Error(`The bundled embedding model failed: ${answer.error}`));
        continue;
      }
      const vectors = answer.vectors.slice(start, start + job.texts.length);
      start += job.texts.length;
      // Batches are counted whole; each request gets its part by length.
      const inputTokens =
        running.jobs.length === 1
          ? answer.inputTokens
          : Math.max(1, Math.round((answer.inputTokens * job.characters) / Math.max(total, 1)));
      job.resolve({ vectors, inputTokens });
    }
    this.#runNext();
  }

  #died(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    if (!this.#closed)
      this.#fail(
        new AppError('PROVIDER_UNAVAILABLE', 'The bundled embedding model stopped; try again.', { cause: error }),
      );
  }

  #fail(error: AppError): void {
    const jobs = [...(this.#running?.jobs ?? []), ...this.#queue.splice(0)];
    this.#running = undefined;
    this.#waitingCharacters = 0;
    for (const job of jobs) job.reject(error);
  }
}
