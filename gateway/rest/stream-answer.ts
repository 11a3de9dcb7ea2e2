import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';
import type { FormattedExecutionResult } from 'graphql';
import { toAppError } from '#platform/error-response.ts';
import { AppError, isErrorCode } from '#platform/errors.ts';
import type { Logger } from '#platform/logging.ts';
import type { OperationRequest } from '../prepared-operation.ts';
import type { CompiledStream } from './compiled-route.ts';
import { SseResponse } from './sse-response.ts';
import type { MappedRequest } from './request-mapping.ts';
import { resultError } from './result-errors.ts';
import type { StreamEvent } from './route.ts';

/**
 * How long the status line waits after `started` for what comes next: a provider that refuses at once is then an HTTP
 * error, which every client understands, and not a stream that begins with 200.
 */
const startedHoldMs = 500;

export interface StreamAnswer {
  readonly stream: CompiledStream;
  readonly mapped: MappedRequest;
  readonly operationRequest: OperationRequest;
  readonly body: unknown;
  readonly reply: FastifyReply;
  readonly logger: Logger;
  /** Aborted when the client leaves, its token ends or the process stops; the reason is an AppError. */
  readonly signal: AbortSignal;
}

/**
 * Answers with the events of a subscription. What fails before the first event is thrown, for an ordinary error
 * answer; what fails later is told inside the stream.
 */
export async function answerWithStream(answer: StreamAnswer): Promise<void> {
  const { stream, operationRequest, reply, signal, body } = answer;
  const results = stream.subscribe(operationRequest, signal);
  try {
    const first = readEvent(await results.next(), answer);
    if (first === undefined) throw new AppError('STREAM_INTERRUPTED', 'The answer ended before it began.');
    throwIfFailed(first);
    let held: Promise<IteratorResult<FormattedExecutionResult>> | undefined;
    if (first.type === 'STARTED') {
      held = results.next();
      await holdForRefusal(held, answer);
    }
    if (signal.aborted) throw signal.reason;

    const writer = stream.mapping.format.createWriter({
      requestId: operationRequest.requestId,
      body,
      mapEvent: stream.mapEvent,
    });
    const out = new SseResponse(reply);
    try {
      let last = first;
      for (let event: StreamEvent | undefined = first; event !== undefined;) {
        last = event;
        const full = out.write(writer.event(event));
        if (full !== undefined) await full;
        if (ends(event)) out.end();
        event = readEvent(await (held ?? results.next()), answer);
        held = undefined;
      }
      if (!ends(last)) throw new AppError('STREAM_INTERRUPTED', 'The answer was cut off before its end.');
    } catch (error) {
      await out.write(writer.failure(failureOf(error, answer)));
    } finally {
      out.end();
    }
  } finally {
    await results.return?.();
  }
}

const ends = ({ type }: StreamEvent): boolean => type === 'FINISHED' || type === 'FAILED';

/** Undefined at the end. @throws AppError for a result with errors */
function readEvent(
  step: IteratorResult<FormattedExecutionResult>,
  { stream, mapped }: StreamAnswer,
): StreamEvent | undefined {
  if (step.done === true) return undefined;
  const { data, errors } = step.value;
  if (errors !== undefined && errors.length > 0) throw resultError(errors, mapped.toClientPath);
  return data?.[stream.responseName] as StreamEvent | undefined;
}

async function holdForRefusal(
  next: Promise<IteratorResult<FormattedExecutionResult>>,
  answer: StreamAnswer,
): Promise<void> {
  const decided = new AbortController();
  const late = sleep(startedHoldMs, undefined, { signal: decided.signal }).catch(() => undefined);
  // The loop awaits it too, but perhaps not before it rejects.
  next.catch(() => undefined);
  try {
    const step = await Promise.race([next, late]);
    const event = step === undefined ? undefined : readEvent(step, answer);
    if (event !== undefined) throwIfFailed(event);
  } finally {
    decided.abort();
  }
}

function throwIfFailed({ type, error }: StreamEvent): void {
  if (type !== 'FAILED') return;
  throw new AppError(
    isErrorCode(error?.code) ? error.code : 'INTERNAL_ERROR',
    error?.message ?? 'The answer failed.',
    typeof error?.retryAfterMs === 'number' ? { retryAfterMs: error.retryAfterMs } : {},
  );
}

function failureOf(error: unknown, { signal, logger, operationRequest }: StreamAnswer): AppError {
  const failure = toAppError(signal.aborted ? signal.reason : error);
  if (failure.code === 'INTERNAL_ERROR')
    logger.error({ err: failure.cause ?? failure, requestId: operationRequest.requestId }, 'stream failed');
  return failure;
}
