import type { FastifyReply, FastifyRequest } from 'fastify';
import { retryAfterSeconds, toAppError } from '#platform/error-response.ts';
import type { AppError, ErrorCode } from '#platform/errors.ts';
import type { Logger } from '#platform/logging.ts';

/** https://platform.openai.com/docs/guides/error-codes: what official clients and those built on them look for. */
const openAiCodes: Partial<Record<ErrorCode, string>> = {
  UNAUTHENTICATED: 'invalid_api_key',
  RATE_LIMITED: 'rate_limit_exceeded',
  BUDGET_EXCEEDED: 'insufficient_quota',
  CONTENT_FILTERED: 'content_filter',
};

export interface OpenAiErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    /** The first field that was wrong. */
    readonly param: string | null;
    readonly code: string;
    /** Ours: finds the request in the logs. */
    readonly request_id: string;
  };
}

export function toOpenAiErrorBody(error: AppError, requestId: string): OpenAiErrorBody {
  const param =
    error.details?.find(({ path }) => path !== '')?.path ?? (error.code === 'MODEL_NOT_FOUND' ? 'model' : null);
  return {
    error: {
      message: error.message,
      type: errorType(error.status),
      param,
      code: openAiCodes[error.code] ?? error.code.toLowerCase(),
      request_id: requestId,
    },
  };
}

function errorType(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 402) return 'insufficient_quota';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}

/** Answers with an error that official OpenAI clients raise as their typed errors, and retry exactly when it helps. */
export function sendOpenAiError(thrown: unknown, request: FastifyRequest, reply: FastifyReply, logger: Logger): void {
  const error = toAppError(thrown);
  if (error.code === 'INTERNAL_ERROR')
    logger.error({ err: error.cause ?? error, requestId: request.id }, 'request failed');
  request.logged.errorCode = error.code;
  const retryAfter = retryAfterSeconds(error);
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter);
  // Without it they retry every 409 and 5xx, also those that say the same each time.
  reply.header('x-should-retry', String(error.retryable));
  reply.code(error.status).send(toOpenAiErrorBody(error, request.id));
}
