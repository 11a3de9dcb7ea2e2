import type { CompletionAnswer } from './completion-answer.ts';
import type { CompletionStreamEvent } from './completion-events.ts';
import { replay } from './completion-events.ts';
import { prepareCompletion, type PreparedCompletion } from './completion-prepare.ts';
import { settleAnswer, settleFailure } from './completion-settle.ts';
import { SharedCompletion, type CompletionWork } from './completion-share.ts';
import { streamCompletion } from './completion-stream.ts';
import { unlessAborted, type Entry, type Idempotency, type IdempotencyClaim } from './idempotency.ts';
import type { Asker, LlmDependencies } from './llm-dependencies.ts';
import { failureOf, startDeadline, type RequestDeadline } from './request-deadline.ts';
import type { CompleteInput } from './resolver-types.ts';
import type { OpenRequest } from './usage-ledger-rows.ts';

export interface CompletionDependencies extends LlmDependencies {
  readonly completions: Idempotency<SharedCompletion>;
}

/**
 * Answers a conversation whole. Billed when it resolves.
 *
 * @throws AppError of the input, the model, the provider, the ledger or an idempotency key; or the signal's reason as
 *   CLIENT_CLOSED_REQUEST
 */
export async function complete(
  llm: CompletionDependencies,
  asker: Asker,
  input: CompleteInput,
): Promise<CompletionAnswer> {
  const prepared = await prepareCompletion(llm, asker, input);
  const deadline = startDeadline(llm.settings.requestTimeoutMs, asker.signal);
  try {
    if (prepared.claim === undefined) {
      const request = await openUnkeyed(llm, prepared);
      return await answerWhole(llm, prepared, request, deadline);
    }
    const entry = await enter(llm, prepared, prepared.claim, deadline.signal, (request, own) => ({
      whole: () => answerWhole(llm, prepared, request, own),
    }));
    if (entry.kind === 'stored') return JSON.parse(entry.answer) as CompletionAnswer;
    try {
      return await entry.running.answer(deadline.signal);
    } finally {
      entry.running.leave();
    }
  } finally {
    deadline.release();
  }
}

/**
 * Answers a conversation as a stream of events. Resolves with the provider's first event, so that what fails before it
 * rejects; from then on the last event is FINISHED, after the request is billed, or FAILED.
 * Returning from the iteration ends the upstream at once, also while an event is awaited.
 */
export async function completion(
  llm: CompletionDependencies,
  asker: Asker,
  input: CompleteInput,
): Promise<StartedStream> {
  const prepared = await prepareCompletion(llm, asker, input);
  const deadline = startDeadline(llm.settings.requestTimeoutMs, asker.signal);
  try {
    if (prepared.claim === undefined) {
      const request = await openUnkeyed(llm, prepared);
      return await StartedStream.of(streamCompletion(llm, prepared, request, deadline), deadline);
    }
    const entry = await enter(llm, prepared, prepared.claim, deadline.signal, (request, own) => ({
      stream: (onAnswer) => streamCompletion(llm, prepared, request, own, onAnswer),
    }));
    return await StartedStream.of(readEntry(entry, deadline), deadline);
  } catch (error) {
    deadline.release();
    throw error;
  }
}

async function* readEntry(
  entry: Entry<SharedCompletion>,
  deadline: RequestDeadline,
): AsyncGenerator<CompletionStreamEvent, void, undefined> {
  try {
    if (entry.kind === 'stored') yield* replay(JSON.parse(entry.answer) as CompletionAnswer);
    else yield* entry.running.read(deadline.signal);
  } finally {
    if (entry.kind !== 'stored') entry.running.leave();
    deadline.release();
  }
}

function enter(
  llm: CompletionDependencies,
  prepared: PreparedCompletion,
  claim: IdempotencyClaim,
  signal: AbortSignal,
  work: (request: OpenRequest, own: RequestDeadline) => CompletionWork,
): Promise<Entry<SharedCompletion>> {
  const { requestTimeoutMs, reconnectGraceMs } = llm.settings;
  return llm.completions.enter(
    claim,
    prepared.intent.microdaoId,
    signal,
    () => llm.ledger.open(prepared.intent),
    (request) => {
      // Not bound to this client: others may join, and it may come back.
      const own = startDeadline(requestTimeoutMs);
      return new SharedCompletion(own, reconnectGraceMs, work(request, own));
    },
  );
}

async function openUnkeyed(llm: LlmDependencies, prepared: PreparedCompletion): Promise<OpenRequest> {
  const request = await llm.ledger.open(prepared.intent);
  if (request === null) throw new Error('a request without a key was refused its key');
  return request;
}

async function answerWhole(
  llm: LlmDependencies,
  prepared: PreparedCompletion,
  request: OpenRequest,
  deadline: RequestDeadline,
): Promise<CompletionAnswer> {
  let result;
  try {
    // The deadline holds also against a provider that does not listen to it.
    result = await unlessAborted(prepared.provider.complete(prepared.request, deadline.signal), deadline.signal);
  } catch (error) {
    const failure = failureOf(error, deadline.signal);
    if (failure.errorCode === 'INTERNAL_ERROR')
      llm.logger.error({ err: error, requestId: prepared.intent.requestId }, 'a completion broke');
    deadline.release();
    await settleFailure(llm, prepared, request, failure, undefined).catch((unrecorded: unknown) => {
      llm.logger.error(
        { err: unrecorded, requestId: prepared.intent.requestId },
        'a failed completion is not recorded yet',
      );
    });
    throw failure.error;
  }
  deadline.release();
  const { model, content, reasoning, refusal, toolCalls, finishReason, providerState, usage } = result;
  const finish = { model, reason: finishReason, providerState };
  return settleAnswer(llm, prepared, request, { content, reasoning, refusal, toolCalls }, finish, usage ?? undefined);
}

/** A stream whose first event is there, and whose `return` does not wait for the next one. */
export class StartedStream implements AsyncGenerator<CompletionStreamEvent, void, undefined> {
  readonly #source: AsyncGenerator<CompletionStreamEvent, void, undefined>;
  readonly #deadline: RequestDeadline;
  #first: IteratorResult<CompletionStreamEvent, void> | undefined;

  private constructor(
    first: IteratorResult<CompletionStreamEvent, void>,
    source: AsyncGenerator<CompletionStreamEvent, void, undefined>,
    deadline: RequestDeadline,
  ) {
    this.#first = first;
    this.#source = source;
    this.#deadline = deadline;
  }

  static async of(
    source: AsyncGenerator<CompletionStreamEvent, void, undefined>,
    deadline: RequestDeadline,
  ): Promise<StartedStream> {
    return new StartedStream(await source.next(), source, deadline);
  }

  async next(): Promise<IteratorResult<CompletionStreamEvent, void>> {
    const first = this.#first;
    if (first === undefined) return this.#source.next();
    this.#first = undefined;
    return first;
  }

  return(): Promise<IteratorResult<CompletionStreamEvent, void>> {
    this.#first = undefined;
    this.#deadline.abort();
    return this.#source.return();
  }

  throw(error: unknown): Promise<IteratorResult<CompletionStreamEvent, void>> {
    this.#deadline.abort();
    return this.#source.throw(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
