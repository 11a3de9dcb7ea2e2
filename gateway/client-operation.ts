import type { FormattedExecutionResult, GraphQLFormattedError } from 'graphql';
import { AppError, errorCatalogue, isErrorCode } from '#platform/errors.ts';
import { EventStream } from '#platform/event-stream.ts';
import { fromAppError, withRequestId } from './graphql-errors.ts';
import type { OperationRequest, PreparedOperation } from './prepared-operation.ts';
import type { Supergraph } from './supergraph.ts';

/** What a client posts, sends over a WebSocket, or puts into a query string. */
export interface ClientOperation {
  readonly query: string;
  readonly operationName: string | undefined;
  readonly variables: Readonly<Record<string, unknown>> | undefined;
}

/** @throws AppError BAD_REQUEST */
export function readClientOperation(body: unknown): ClientOperation {
  if (Array.isArray(body))
    throw new AppError('BAD_REQUEST', 'Batches are not accepted: send one operation per request.');
  const { query, operationName, variables } = (typeof body === 'object' && body !== null ? body : {}) as Record<
    string,
    unknown
  >;
  if (typeof query !== 'string' || query === '')
    throw new AppError('BAD_REQUEST', 'The body must be a JSON object with the GraphQL text in `query`.');
  if (operationName !== undefined && operationName !== null && typeof operationName !== 'string') {
    throw new AppError('BAD_REQUEST', '`operationName` must be a string.');
  }
  if (variables !== undefined && variables !== null && (typeof variables !== 'object' || Array.isArray(variables))) {
    throw new AppError('BAD_REQUEST', '`variables` must be a JSON object.');
  }
  return {
    query,
    operationName: operationName === null || operationName === '' ? undefined : operationName,
    variables: variables === null ? undefined : (variables as Record<string, unknown> | undefined),
  };
}

export type ClientPreparation =
  | { readonly operation: PreparedOperation; readonly errors?: undefined }
  | { readonly operation?: undefined; readonly errors: readonly GraphQLFormattedError[] };

/** As `Supergraph.prepare`, and what production keeps to itself: introspection, and hints at the schema's names. */
export function prepareForClient(
  supergraph: Supergraph,
  { query, operationName }: ClientOperation,
  { production, requestId }: { readonly production: boolean; readonly requestId: string },
): ClientPreparation {
  const { operation, errors } = supergraph.prepare(query, operationName);
  if (errors !== undefined) return { errors: withRequestId(production ? errors.map(withoutHint) : errors, requestId) };
  if (production && operation.introspects) {
    return {
      errors: [
        fromAppError(new AppError('GRAPHQL_VALIDATION_FAILED', 'Introspection is off in production.'), requestId),
      ],
    };
  }
  return { operation };
}

const withoutHint = (error: GraphQLFormattedError): GraphQLFormattedError => ({
  ...error,
  message: error.message.replace(/ Did you mean [^]*\?$/, ''),
});

/**
 * Runs any operation as a stream of results, one for a query or mutation. Returning from the iteration aborts it;
 * aborting the signal does too, and rejects what waits with the signal's reason.
 */
export function runAsStream(
  supergraph: Supergraph,
  operation: PreparedOperation,
  request: OperationRequest,
  signal: AbortSignal,
): AsyncIterableIterator<FormattedExecutionResult> {
  if (operation.kind === 'subscription') return supergraph.subscribe(operation, request, signal);
  return new EventStream<FormattedExecutionResult, FormattedExecutionResult>({
    signal,
    open: async function* (ownSignal) {
      yield await supergraph.execute(operation, request, ownSignal);
    },
    perEvent: (result) => result,
    onFailure: (error) => {
      throw error;
    },
  });
}

/** The HTTP status of a GraphQL response that has no data: of a request that was refused before it ran. */
export function statusOf(errors: readonly GraphQLFormattedError[]): number {
  const code = errors[0]?.extensions?.['code'];
  if (!isErrorCode(code)) return 500;
  // GraphQL over HTTP has 400 for variables that do not fit, as for everything else that is wrong with a request.
  return code === 'INVALID_INPUT' ? 400 : errorCatalogue[code].status;
}
