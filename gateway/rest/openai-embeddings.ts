import { endianness } from 'node:os';
import { isJsonObject, typeWord } from './input-mapping.ts';
import type { InputReading } from './input-path.ts';
import { isSet } from './openai-request.ts';
import type { TranslatedBody } from './route.ts';

const sameNames = ['model', 'dimensions', 'microdao_id', 'agent_id', 'idempotency_key'] as const;
const knownNames = new Set<string>([...sameNames, 'input', 'encoding_format', 'user']);

/** The body of OpenAI's embeddings in the spelling of `/internal/llm/embed`. */
export function translateEmbeddingRequest(
  body: Readonly<Record<string, unknown>>,
  reading: InputReading,
): TranslatedBody {
  const result: Record<string, unknown> = {};
  for (const name of sameNames) if (isSet(body[name])) result[name] = body[name];
  const input = body['input'];
  if (isTokens(input)) reading.refuseAt('input', 'must be text: lists of token numbers are not supported');
  else if (input !== undefined) result['input'] = input;
  const format = body['encoding_format'];
  if (isSet(format) && format !== 'float' && format !== 'base64') {
    reading.refuseAt(
      'encoding_format',
      `must be "float" or "base64"${typeof format === 'string' ? '' : `, not ${typeWord(format)}`}`,
    );
  }
  for (const name of Object.keys(body)) {
    // `user` tells the vendor about abuse and changes no vector; of anything else the client expects an effect.
    if (!knownNames.has(name) && isSet(body[name])) reading.refuseAt(name, 'is not supported for embeddings');
  }
  // What is refused here was present: the type's own "is required" would be a second, wrong reason.
  return { body: isTokens(input) ? { ...result, input: [] } : result };
}

function isTokens(input: unknown): boolean {
  const first: unknown = Array.isArray(input) ? input[0] : undefined;
  return typeof first === 'number' || (Array.isArray(first) && (first.length === 0 || typeof first[0] === 'number'));
}

export interface GraphqlEmbeddings {
  readonly model: string;
  readonly provider: string;
  readonly requestId: string;
  readonly embeddings: readonly (readonly number[])[];
  readonly usage: { readonly inputTokens: number; readonly costUsd: number | null; readonly estimated: boolean };
}

/** https://platform.openai.com/docs/api-reference/embeddings/object */
export function toEmbeddingList(result: GraphqlEmbeddings, body: unknown): unknown {
  const base64 = isJsonObject(body) && body['encoding_format'] === 'base64';
  const { usage } = result;
  return {
    object: 'list',
    data: result.embeddings.map((vector, index) => ({
      object: 'embedding',
      index,
      embedding: base64 ? toBase64(vector) : vector,
    })),
    model: result.model,
    usage: { prompt_tokens: usage.inputTokens, total_tokens: usage.inputTokens },
    x_supergraph: {
      provider: result.provider,
      request_id: result.requestId,
      cost_usd: usage.costUsd,
      usage_estimated: usage.estimated,
    },
  };
}

/** Little-endian float32, the form official clients ask for when told nothing. */
export function toBase64(vector: readonly number[]): string {
  const floats = Float32Array.from(vector);
  const bytes = Buffer.from(floats.buffer);
  if (endianness() === 'BE') bytes.swap32();
  return bytes.toString('base64');
}
