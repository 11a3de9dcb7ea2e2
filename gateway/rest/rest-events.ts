import type { AppError } from '#platform/errors.ts';
import type { StreamContext, StreamFormat, StreamWriter } from './route.ts';

/** One `data:` line of JSON and the empty line that ends a server-sent event. */
export const dataLine = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;

/** The last line of a stream, for clients that don't look into the events. */
export const doneLine = 'data: [DONE]\n\n';

/** The project's own streams: each event of the subscription as JSON in REST's spelling, then `[DONE]`. */
export const restEvents: StreamFormat = {
  createWriter({ requestId, mapEvent }: StreamContext): StreamWriter {
    return {
      event: (event) => {
        const line = dataLine(mapEvent(event));
        return event.type === 'FINISHED' || event.type === 'FAILED' ? line + doneLine : line;
      },
      failure: (error) => dataLine({ type: 'failed', error: failedEventError(error, requestId) }) + doneLine,
    };
  },
};

const failedEventError = (error: AppError, requestId: string) => ({
  code: error.code,
  message: error.message,
  retryable: error.retryable,
  ...(error.retryAfterMs === undefined ? {} : { retry_after_ms: error.retryAfterMs }),
  request_id: requestId,
});
