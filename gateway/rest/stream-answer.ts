import type { FastifyReply } from 'fastify';
import type { FormattedExecutionResult } from 'graphql';
import { toAppError } from '#platform/error-response.ts';
import { AppError, isErrorCode } from '#platform/errors.ts';
import type { Logger } from '#platform/logging.ts';
import type { OperationRequest } from '../prepared-operation.ts';
import type { CompiledStream } from './compiled-route.ts';
import { SseResponse } from '#platform/sse-response.ts';
import type { MappedRequest } from './request-mapping.ts';
import { resultError } from './result-errors.ts';
import type { StreamEvent } from './route.ts';

/**
 * How long the status line waits for the first event, which decides between an HTTP error and a stream. Proxies drop
 * connections that stay silent; after this the stream begins, and its pings keep the connection.
 */
const firstEventWaitMs = 15_000;
/**
 * The same after `started`: a provider that refuses at once is an HTTP error too, which every client understands.
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
    const opening = await readOpening(results, answer);
    if (signal.aborted) throw signal.reason;

    const { requestId } = operationRequest;
    const writer = stream.mapping.format.createWriter({ requestId, body, mapEvent: stream.mapEvent });
    const out = new SseResponse(reply);
    try {
      let { pending } = opening;
      let ended = false;
      const write = async (event: StreamEvent) => {
        const full = out.write(writer.event(event));
        if (full !== undefined) await full;
        ended ||= ends(event);
        // The client has all of it; what the source still does is not its concern.
        if (ended) out.end();
      };
      for (const event of opening.events) await write(event);
      for (;;) {
        const event = readEvent(await (pending ?? results.next()), answer);
        pending = undefined;
        if (event === undefined) break;
        await write(event);
      }
      if (!ended) throw new AppError('STREAM_INTERRUPTED', 'The answer was cut off before its end.');
    } catch (error) {
      await out.write(writer.failure(failureOf(error, answer)));
    } finally {
      out.end();
    }
  } finally {
    await results.return?.();
  }
}

type Step = IteratorResult<FormattedExecutionResult>;

/** What came before the status line was decided, and the read that is still under way. */
interface Opening {
  readonly events: readonly StreamEvent[];
  readonly pending: Promise<Step> | undefined;
}

async function readOpening(results: AsyncIterator<FormattedExecutionResult>, answer: StreamAnswer): Promise<Opening> {
  const events: StreamEvent[] = [];
  let pending = results.next();
  for (const waitMs of [firstEventWaitMs, startedHoldMs]) {
    const step = await within(pending, waitMs);
    if (step === undefined) break;
    const event = readEvent(step, answer);
    if (event === undefined && events.length === 0) {
      throw new AppError('STREAM_INTERRUPTED', 'The answer ended before it began.');
    }
    if (event === undefined) return { events, pending: Promise.resolve(step) };
    throwIfFailed(event);
    events.push(event);
    if (event.type !== 'STARTED') return { events, pending: undefined };
    pending = results.next();
  }
  return { events, pending };
}

/** Undefined when the step takes longer; it is then awaited later, and may reject before. */
async function within(step: Promise<Step>, waitMs: number): Promise<Step | undefined> {
  step.catch(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, waitMs, undefined);
  });
  try {
    return await Promise.race([step, late]);
  } finally {
    clearTimeout(timer);
  }
}

const ends = ({ type }: StreamEvent): boolean => type === 'FINISHED' || type === 'FAILED';

/** Undefined at the end. @throws AppError for a result with errors */
function readEvent(step: Step, { stream, mapped }: StreamAnswer): StreamEvent | undefined {
  if (step.done === true) return undefined;
  const { data, errors } = step.value;
  if (errors !== undefined && errors.length > 0) throw resultError(errors, mapped.toClientPath);
  return data?.[stream.responseName] as StreamEvent | undefined;
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
