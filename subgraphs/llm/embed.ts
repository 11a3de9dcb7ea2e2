import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { AppError } from '#platform/errors.ts';
import { embedBatch, embedBatches } from './embed-batches.ts';
import { checkEmbedInput } from './embed-input.ts';
import { idempotencyClaim, unlessAborted, type Idempotency } from './idempotency.ts';
import { SharedAnswer } from './idempotency-share.ts';
import { providerFor, type Asker, type LlmDependencies } from './llm-dependencies.ts';
import type { Provider } from './providers/provider.ts';
import { failureOf, startDeadline, type RequestDeadline } from './request-deadline.ts';
import type { EmbedInput } from './resolver-types.ts';
import { countTokens } from './token-count.ts';
import { noUsage, type Bill, type Intent, type OpenRequest } from './usage-ledger-rows.ts';

export interface EmbedAnswer {
  readonly id: string;
  readonly requestId: string;
  readonly model: string;
  readonly provider: string;
  readonly dimensions: number;
  /** In the order of the texts. */
  readonly vectors: readonly Float32Array[];
  readonly usage: Bill;
}

/** Vectors of texts that this process embedded lately, at most 64 MiB of them. */
export type EmbeddingCache = LRUCache<string, Float32Array>;
const cacheBytesMax = 64 * 1024 * 1024;
const cacheEntryBytes = 200;

export const createEmbeddingCache = (): EmbeddingCache =>
  new LRUCache({ maxSize: cacheBytesMax, sizeCalculation: (vector) => vector.byteLength + cacheEntryBytes });

export interface EmbedDependencies extends LlmDependencies {
  readonly embeddings: Idempotency<SharedAnswer<EmbedAnswer>>;
  readonly embeddingCache: EmbeddingCache;
}

interface PreparedEmbedding {
  readonly provider: Provider;
  readonly intent: Intent;
  readonly texts: readonly string[];
  readonly dimensions: number | undefined;
  /** Begins a cache key: the same text of another microDAO is not found, so nobody learns who has embedded what. */
  readonly cachePrefix: string;
  readonly startedAt: number;
}

/**
 * Turns texts into vectors. A text that the same microDAO had embedded by the same model a while ago comes from memory
 * and costs nothing, and one that appears twice is paid once; the ledger bills what the provider was asked for.
 *
 * @throws AppError of the input, the model, the provider (PROVIDER_BAD_RESPONSE for vectors that are none), the ledger
 *   or an idempotency key
 */
export async function embed(llm: EmbedDependencies, asker: Asker, input: EmbedInput): Promise<EmbedAnswer> {
  const startedAt = performance.now();
  checkEmbedInput(input);
  const requestedModel = input.model ?? llm.catalogue.defaultEmbeddingModel;
  const model = await llm.catalogue.resolve(requestedModel, 'embedding');
  const dimensions = input.dimensions ?? undefined;
  if (dimensions !== undefined && model.dimensions !== null && dimensions > model.dimensions) {
    throw new AppError(
      'UNSUPPORTED_BY_MODEL',
      `${model.id} makes vectors of at most ${model.dimensions} dimensions, not ${dimensions}.`,
      {
        details: [{ path: 'dimensions', reason: `must be at most ${model.dimensions} for ${model.id}` }],
      },
    );
  }
  const claim = idempotencyClaim(asker.caller.subject, asker.microdaoId, asker.agentId, 'embed', input);
  const prepared: PreparedEmbedding = {
    provider: providerFor(llm, model.provider),
    texts: input.input,
    dimensions,
    cachePrefix: JSON.stringify([asker.microdaoId, model.provider, model.name, dimensions ?? null]),
    startedAt,
    intent: {
      requestId: asker.requestId,
      kind: 'EMBEDDING',
      microdaoId: asker.microdaoId,
      agentId: asker.agentId ?? null,
      subject: asker.caller.subject,
      actor: asker.caller.actor ?? null,
      requestedModel,
      provider: model.provider,
      model: model.name,
      price: model.price,
      priceVersion: model.price?.version ?? null,
      inputChars: Math.min(
        2_147_483_647,
        input.input.reduce((sum, text) => sum + text.length, 0),
      ),
      idempotency: claim,
    },
  };
  const { requestTimeoutMs, reconnectGraceMs } = llm.settings;
  const deadline = startDeadline(requestTimeoutMs, asker.signal);
  try {
    const open = () => llm.ledger.open(prepared.intent);
    if (claim === undefined) {
      const request = await open();
      if (request === null) throw new Error('a request without a key was refused its key');
      return await embedOpened(llm, prepared, request, deadline);
    }
    const entry = await llm.embeddings.enter(claim, asker.microdaoId, deadline.signal, open, (request) => {
      const own = startDeadline(requestTimeoutMs);
      return new SharedAnswer<EmbedAnswer>(own, reconnectGraceMs, async (resolve) =>
        resolve(await embedOpened(llm, prepared, request, own)),
      );
    });
    if (entry.kind === 'stored') return unpack(entry.answer);
    try {
      return await entry.running.answer(deadline.signal);
    } finally {
      entry.running.leave();
    }
  } finally {
    deadline.release();
  }
}

async function embedOpened(
  llm: EmbedDependencies,
  prepared: PreparedEmbedding,
  request: OpenRequest,
  deadline: RequestDeadline,
): Promise<EmbedAnswer> {
  const { provider, texts, dimensions, intent } = prepared;
  const keys = texts.map((text) => createHash('sha256').update(prepared.cachePrefix).update(text).digest('base64'));
  const vectors = new Map<string, Float32Array>();
  const missing = new Map<string, string>();
  keys.forEach((key, index) => {
    const cached = llm.embeddingCache.get(key);
    if (cached !== undefined) vectors.set(key, cached);
    else missing.set(key, texts[index] ?? '');
  });
  const keyOf = new Map([...missing].map(([key, text]) => [text, key]));
  let inputTokens = 0;
  let estimated = false;
  let model = intent.model;
  const latencyMs = () => performance.now() - prepared.startedAt;
  try {
    for (const batch of embedBatches(provider.name, [...missing.values()])) {
      const answer = await unlessAborted(
        embedBatch(provider, intent.model, batch, dimensions, deadline.signal),
        deadline.signal,
      );
      model = answer.model;
      inputTokens += answer.inputTokens ?? batch.reduce((sum, text) => sum + countTokens(text), 0);
      estimated ||= answer.inputTokens === null;
      batch.forEach((text, index) => {
        const key = keyOf.get(text) ?? '';
        const vector = answer.vectors[index] ?? new Float32Array();
        vectors.set(key, vector);
        llm.embeddingCache.set(key, vector);
      });
    }
  } catch (error) {
    const { status, errorCode, error: told } = failureOf(error, deadline.signal);
    if (errorCode === 'INTERNAL_ERROR')
      llm.logger.error({ err: error, requestId: intent.requestId }, 'an embedding broke');
    const settlement = { status, errorCode, usage: { ...noUsage, inputTokens }, estimated, latencyMs: latencyMs() };
    await llm.ledger.settle(request, settlement).then(
      (bill) => llm.metrics.settled(request, status, bill, settlement.latencyMs, undefined),
      (unrecorded: unknown) =>
        llm.logger.error({ err: unrecorded, requestId: intent.requestId }, 'a failed embedding is not recorded yet'),
    );
    throw told;
  } finally {
    deadline.release();
  }
  const inOrder = keys.map((key) => vectors.get(key) ?? new Float32Array());
  const answer = {
    id: request.id,
    requestId: intent.requestId,
    model,
    provider: provider.name,
    dimensions: inOrder[0]?.length ?? 0,
    vectors: inOrder,
  };
  const usage = { ...noUsage, inputTokens };
  const stored =
    intent.idempotency === undefined
      ? undefined
      : pack({ ...answer, usage: llm.ledger.billFor(request, usage, estimated) });
  const settlement = { status: 'SUCCEEDED' as const, usage, estimated, latencyMs: latencyMs(), answer: stored };
  const bill = await llm.ledger.settle(request, settlement);
  llm.metrics.settled(request, 'SUCCEEDED', bill, settlement.latencyMs, undefined);
  return { ...answer, usage: bill };
}

/** Vectors as the base64 of their 32-bit floats: a third of what they are as decimal text. */
function pack(answer: EmbedAnswer): string {
  const { vectors, dimensions } = answer;
  const all = new Float32Array(vectors.length * dimensions);
  vectors.forEach((vector, index) => all.set(vector, index * dimensions));
  return JSON.stringify({ ...answer, vectors: Buffer.from(all.buffer).toString('base64') });
}

function unpack(text: string): EmbedAnswer {
  const stored = JSON.parse(text) as Omit<EmbedAnswer, 'vectors'> & { readonly vectors: string };
  const bytes = Buffer.from(stored.vectors, 'base64');
  const all = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const { dimensions } = stored;
  const vectors = Array.from({ length: all.length / dimensions }, (_, index) =>
    all.subarray(index * dimensions, (index + 1) * dimensions),
  );
  return { ...stored, vectors };
}
