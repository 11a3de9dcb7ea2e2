import type { GraphQLFormattedError } from 'graphql';
import { fromExtensions, internalError } from '#platform/error-response.ts';
import { AppError, invalidInput } from '#platform/errors.ts';

/**
 * The first error of a GraphQL result as the error of a REST answer. Paths of details are brought into the client's
 * spelling, in the message too where it was made of them.
 */
export function resultError(
  errors: readonly GraphQLFormattedError[],
  toClientPath: (path: string) => string,
): AppError {
  const first = errors[0];
  if (first === undefined) return internalError(new Error('a result without data and without errors'));
  const error = fromExtensions(first.message, first.extensions);
  if (error.details === undefined) return error;
  const details = error.details.map(({ path, reason }) => ({ path: toClientPath(path), reason }));
  if (error.code === 'INVALID_INPUT' && error.message.startsWith('Invalid input: ')) return invalidInput(details);
  return new AppError(error.code, error.message, {
    details,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  });
}
