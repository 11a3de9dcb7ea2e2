import { AppError, isErrorCode } from '#platform/errors.ts';
import type { CompletionAnswer } from './completion-answer.ts';
import { replay, type CompletionStreamEvent } from './completion-events.ts';
import { unlessAborted } from './idempotency.ts';
import { SharedAnswer } from './idempotency-share.ts';
import type { RequestDeadline } from './request-deadline.ts';

/** Events that a stream is read ahead of its fastest reader. */
const readAheadMax = 256;

type Source = AsyncGenerator<CompletionStreamEvent, void, undefined>;

/** How a shared completion is made: whole, or as a stream that reports its settled answer on the way. */
export type CompletionWork =
  | { readonly whole: () => Promise<CompletionAnswer> }
  | { readonly stream: (onAnswer: (answer: CompletionAnswer) => void) => Source };

/**
 * A completion with an idempotency key, while it runs. Its events are kept until it ends (at most `answerCharsMax`
 * characters), so each reader gets all of them from the start, at its own pace: the upstream follows the fastest reader
 * and nobody waits for a slower one.
 */
export class SharedCompletion extends SharedAnswer<CompletionAnswer> {
  readonly #events: CompletionStreamEvent[];
  readonly #progress: Progress | undefined;

  constructor(deadline: RequestDeadline, graceMs: number, work: CompletionWork) {
    const events: CompletionStreamEvent[] = [];
    const progress = 'stream' in work ? new Progress() : undefined;
    super(deadline, graceMs, (resolve) =>
      progress !== undefined && 'stream' in work
        ? pump(work.stream(resolve), events, progress, deadline.signal)
        : (work as Extract<CompletionWork, { whole: unknown }>).whole().then(resolve),
    );
    this.#events = events;
    this.#progress = progress;
    void this.ended.then(() => progress?.arrived());
  }

  override answer(signal: AbortSignal): Promise<CompletionAnswer> {
    // Who waits for the whole is as fast as can be.
    this.#progress?.advanceTo(Infinity);
    return super.answer(signal);
  }

  /** All events from the first one, for a caller who has joined. Throws what failed before the first event. */
  async *read(signal: AbortSignal): Source {
    const progress = this.#progress;
    if (progress === undefined) {
      yield* replay(await this.answer(signal));
      return;
    }
    for (let position = 0; ;) {
      const event = this.#events[position];
      if (event !== undefined) {
        position += 1;
        progress.advanceTo(position);
        yield event;
        if (event.type === 'FINISHED' || event.type === 'FAILED') return;
      } else if (this.isDone) {
        await this.answer(signal);
        return;
      } else {
        await unlessAborted(progress.nextArrival, signal);
      }
    }
  }
}

/** Who waits for whom between the upstream and its readers. */
class Progress {
  #furthest = 0;
  #arrival = Promise.withResolvers<void>();
  #advance = Promise.withResolvers<void>();

  get furthest(): number {
    return this.#furthest;
  }

  get nextArrival(): Promise<void> {
    return this.#arrival.promise;
  }

  get nextAdvance(): Promise<void> {
    return this.#advance.promise;
  }

  arrived(): void {
    this.#arrival.resolve();
    this.#arrival = Promise.withResolvers();
  }

  /** A reader has taken this many events. */
  advanceTo(position: number): void {
    if (position <= this.#furthest) return;
    this.#furthest = position;
    this.#advance.resolve();
    this.#advance = Promise.withResolvers();
  }
}

async function pump(
  source: Source,
  events: CompletionStreamEvent[],
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  let failure: AppError | undefined;
  for await (const event of source) {
    if (event.__typename === 'CompletionFailed') failure = errorOf(event.error);
    events.push(event);
    progress.arrived();
    while (events.length - progress.furthest > readAheadMax && !signal.aborted) {
      await unlessAborted(progress.nextAdvance, signal).catch(() => {});
    }
  }
  if (failure !== undefined) throw failure;
}

function errorOf(error: Extract<CompletionStreamEvent, { __typename: 'CompletionFailed' }>['error']): AppError {
  const { code, message, retryAfterMs } = error;
  return new AppError(
    isErrorCode(code) ? code : 'INTERNAL_ERROR',
    message,
    retryAfterMs == null ? {} : { retryAfterMs },
  );
}
