import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { internalError } from '#platform/error-response.ts';
import { AppError, errorCatalogue, isErrorCode, type ErrorCode } from '#platform/errors.ts';
import type { Logger } from '#platform/logging.ts';

/** Where an error happened, for the client's `extensions.requestId` and for the log. */
export interface ErrorPlace {
  readonly requestId: string;
  readonly logger: Logger;
}

type Path = readonly (string | number)[];

interface ErrorLike {
  readonly message?: unknown;
  readonly path?: Path | undefined;
  readonly extensions?: Readonly<Record<string, unknown>> | undefined;
}

// The client did nothing wrong when a subgraph says one of these about what the gateway sent: the two disagree.
const gatewaysOwnFault = new Set<ErrorCode>(['GRAPHQL_VALIDATION_FAILED', 'UNAUTHENTICATED']);

/**
 * Brings what subgraphs and the plan's execution reported to what clients may see: codes of the catalogue are kept
 * with their message, path and hints; everything else is logged whole and shown as INTERNAL_ERROR.
 */
export function maskExecutionErrors(errors: readonly unknown[], place: ErrorPlace): GraphQLFormattedError[] {
  return errors.map((error) => maskExecutionError(error, place));
}

function maskExecutionError(error: unknown, { requestId, logger }: ErrorPlace): GraphQLFormattedError {
  const { message, path, extensions } = error as ErrorLike;
  if (error instanceof AppError) return clientError(error.message, error.toExtensions(), undefined, requestId);
  const code = extensions?.['code'];
  if (isErrorCode(code) && code !== 'INTERNAL_ERROR' && !gatewaysOwnFault.has(code)) {
    return clientError(String(message), { ...extensions, code }, path, requestId);
  }
  // A subgraph that says INTERNAL_ERROR has logged the cause itself.
  if (code !== 'INTERNAL_ERROR') {
    const cause = error instanceof GraphQLError && error.originalError instanceof Error ? error.originalError : error;
    logger.error(
      { err: cause, requestId, path, extensions },
      'an operation failed with an error that is not of the catalogue',
    );
  }
  const masked = internalError(error);
  return clientError(masked.message, masked.toExtensions(), path, requestId);
}

/** An expected failure as a GraphQL error for a client. */
export function fromAppError(error: AppError, requestId: string, path?: Path): GraphQLFormattedError {
  return clientError(error.message, error.toExtensions(), path, requestId);
}

/** What of an error's extensions reaches a client; checked here, since it may come from anywhere. */
interface ErrorHints {
  readonly code: ErrorCode;
  readonly retryable?: unknown;
  readonly retryAfterMs?: unknown;
  readonly details?: unknown;
}

/**
 * One shape and order of keys for every error that leaves the gateway, so that the same failure reads the same
 * whichever way it took. Places in the query are left out: they would be places in the gateway's own query.
 */
function clientError(
  message: string,
  extensions: ErrorHints,
  path: Path | undefined,
  requestId: string,
): GraphQLFormattedError {
  const { code, retryable, retryAfterMs, details } = extensions;
  return {
    message,
    ...(path === undefined || path.length === 0 ? {} : { path }),
    extensions: {
      code,
      retryable: typeof retryable === 'boolean' ? retryable : errorCatalogue[code].retryable,
      ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}),
      ...(details === undefined ? {} : { details }),
      requestId,
    },
  };
}

/** An error of the operation itself (syntax, validation, limits): it may be shown at its place in the client's text. */
export function requestError(code: ErrorCode, error: GraphQLError): GraphQLFormattedError {
  return {
    message: error.message,
    ...(error.locations === undefined ? {} : { locations: error.locations }),
    extensions: { code, retryable: errorCatalogue[code].retryable },
  };
}

/** The same errors with the request's id; prepared operations are shared between requests, so it is added here. */
export function withRequestId(errors: readonly GraphQLFormattedError[], requestId: string): GraphQLFormattedError[] {
  return errors.map((error) => ({ ...error, extensions: { ...error.extensions, requestId } }));
}

/**
 * Shortens each path to what the client asked for: the planner also fetches keys and `__typename`s for itself, and a
 * failure there is, for the client, a failure of the object around it.
 */
export function trimPaths(errors: readonly GraphQLFormattedError[], data: unknown): GraphQLFormattedError[] {
  return errors.map((error) => {
    if (error.path === undefined) return error;
    const known = knownLength(error.path, data);
    if (known === error.path.length) return error;
    const { path: _, ...rest } = error;
    return known === 0
      ? rest
      : { message: rest.message, path: error.path.slice(0, known), extensions: rest.extensions ?? {} };
  });
}

function knownLength(path: Path, data: unknown): number {
  let value = data;
  for (const [index, key] of path.entries()) {
    // Below a null the rest is true as it stands: the null came from there.
    if (value === null || value === undefined) return path.length;
    if (typeof value !== 'object' || !Object.hasOwn(value, key)) return index;
    value = (value as Record<string | number, unknown>)[key];
  }
  return path.length;
}
