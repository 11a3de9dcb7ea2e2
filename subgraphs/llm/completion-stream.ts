import { AppError } from '#platform/errors.ts';
import { AnswerBuilder, type CompletionAnswer } from './completion-answer.ts';
import { failed, finished, started, toDelta, type CompletionStreamEvent } from './completion-events.ts';
import type { PreparedCompletion } from './completion-prepare.ts';
import { settleAnswer, settleFailure, type Finish } from './completion-settle.ts';
import type { LlmDependencies } from './llm-dependencies.ts';
import { failureOf, type RequestDeadline } from './request-deadline.ts';
import type { OpenRequest } from './usage-ledger-rows.ts';

/**
 * Answers an opened request as a stream, at its reader's pace: STARTED with the provider's first event, deltas, and
 * exactly one FINISHED or FAILED, which comes only after the request is settled. What fails before the provider's
 * first event is thrown instead, so that a caller can still be answered with a plain error.
 *
 * Ending the iteration early, or aborting the deadline, ends the upstream and settles the request as CANCELLED with
 * what was delivered. Once the provider has told its end, the answer is whole and SUCCEEDED, read or not.
 *
 * @param onAnswer called with the settled answer before FINISHED is given
 */
export async function* streamCompletion(
  llm: LlmDependencies,
  prepared: PreparedCompletion,
  request: OpenRequest,
  deadline: RequestDeadline,
  onAnswer: (answer: CompletionAnswer) => void = () => {},
): AsyncGenerator<CompletionStreamEvent, void, undefined> {
  const answer = new AnswerBuilder();
  const { requestId } = prepared.intent;
  let finish: Finish | undefined;
  let hasStarted = false;
  let isSettled = false;
  let firstTokenMs: number | undefined;

  const settleAs = async (error: unknown) => {
    isSettled = true;
    const failure = failureOf(error, deadline.signal);
    deadline.release();
    if (failure.errorCode === 'INTERNAL_ERROR') llm.logger.error({ err: error, requestId }, 'a completion broke');
    try {
      return { error: failure.error, bill: await settleFailure(llm, prepared, request, failure, answer, firstTokenMs) };
    } catch (unrecorded) {
      // The caller hears of the failure itself; the ledger goes on trying to record it.
      llm.logger.error({ err: unrecorded, requestId }, 'a failed completion is not recorded yet');
      return { error: failure.error, bill: undefined };
    }
  };

  try {
    try {
      for await (const event of prepared.provider.stream(prepared.request, deadline.signal)) {
        if (!hasStarted) {
          hasStarted = true;
          yield started(request, requestId);
        }
        if (event.type === 'usage') {
          answer.usage = event.usage;
        } else if (event.type === 'finish') {
          finish = { model: event.model, reason: event.reason, providerState: event.providerState };
        } else {
          answer.add(event);
          if (firstTokenMs === undefined) {
            const timeToFirstTokenMs = (firstTokenMs = performance.now() - prepared.startedAt);
            request.delivered = () => answer.delivered(timeToFirstTokenMs);
          }
          yield toDelta(event);
        }
      }
      if (finish === undefined)
        throw new AppError('STREAM_INTERRUPTED', 'The provider ended the stream before its final marker.');
    } catch (error) {
      if (finish === undefined) {
        const failure = await settleAs(error);
        if (!hasStarted) throw failure.error;
        yield failed(failure.error, failure.bill, requestId);
        return;
      }
    }
    isSettled = true;
    deadline.release();
    let last: CompletionStreamEvent;
    try {
      const whole = await settleAnswer(llm, prepared, request, answer.content(), finish, answer.usage, firstTokenMs);
      onAnswer(whole);
      last = finished(whole);
    } catch (error) {
      if (!(error instanceof AppError))
        llm.logger.error({ err: error, requestId }, 'a completion could not be settled');
      last = failed(error, undefined, requestId);
    }
    yield last;
  } finally {
    if (!isSettled) {
      deadline.abort();
      await settleAs(deadline.signal.reason);
    }
  }
}
