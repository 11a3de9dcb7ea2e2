import type { FastifyError } from 'fastify';
import { AppError, isErrorCode, type ErrorCode, type InputProblem } from './errors.ts';

/** The body of every REST error (DESIGN §5). */
export interface ErrorBody {
  readonly error: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly retryable: boolean;
    readonly request_id: string;
    readonly details?: readonly InputProblem[];
  };
}

export function toErrorBody(error: AppError, requestId: string): ErrorBody {
  return {
    error: {
      code: error.code,
      message: error.message,
      retryable: error.retryable,
      request_id: requestId,
      ...(error.details === undefined ? {} : { details: error.details }),
    },
  };
}

/** Whole seconds for `Retry-After`, rounded up so that nobody comes too early; undefined where none is known. */
export function retryAfterSeconds(error: AppError): number | undefined {
  return error.retryAfterMs === undefined ? undefined : Math.max(1, Math.ceil(error.retryAfterMs / 1000));
}

/** What a client may see of an inner failure. */
export function internalError(cause: unknown): AppError {
  return new AppError('INTERNAL_ERROR', 'Something broke inside; the request id finds it in the logs.', { cause });
}

/**
 * Brings whatever was thrown while a request was read or answered to an AppError: those of Fastify by their code,
 * and everything unknown to INTERNAL_ERROR.
 */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const { code, statusCode, message } = error as Partial<FastifyError>;
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new AppError('PAYLOAD_TOO_LARGE', 'The request body is too large for this server.', { cause: error });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the body as `content-type: application/json`.', {
        cause: error,
      });
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return new AppError('BAD_REQUEST', 'The request has no body; send a JSON object.', { cause: error });
  }
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    const reason = code === 'FST_ERR_CTP_INVALID_JSON_BODY' ? 'The request body is not valid JSON.' : String(message);
    return new AppError('BAD_REQUEST', reason, { cause: error });
  }
  return internalError(error);
}

/** Reads an error that crossed a process boundary as GraphQL `extensions` back into an AppError. */
export function fromExtensions(message: string, extensions: Readonly<Record<string, unknown>> | undefined): AppError {
  const code = extensions?.['code'];
  if (!isErrorCode(code)) return internalError(new Error(message));
  const retryAfterMs = extensions?.['retryAfterMs'];
  const details = extensions?.['details'];
  return new AppError(code, message, {
    ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}),
    ...(Array.isArray(details) ? { details: details as InputProblem[] } : {}),
  });
}
