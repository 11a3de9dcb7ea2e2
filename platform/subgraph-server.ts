import { buildSubgraphSchema } from '@apollo/subgraph';
import {
  createSourceEventStream,
  execute,
  GraphQLError,
  parse,
  specifiedRules,
  validate,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLFormattedError,
  type GraphQLSchema,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { enforceAccess, type Scope } from './access.ts';
import type { Caller } from './caller.ts';
import { internalError } from './error-response.ts';
import { AppError } from './errors.ts';
import { EventStream } from './event-stream.ts';
import type { Logger } from './logging.ts';
import type { SubgraphRequest, SubgraphTransport } from './subgraph-transport.ts';
import { eventDocumentOf, eventSchemaOf } from './subscription-events.ts';

/** What every resolver gets as its context. `scope` is set in fields that carry `@access`. */
export interface ResolverContext {
  readonly caller: Caller;
  readonly scope: Scope;
  readonly requestId: string;
  readonly traceparent: string | undefined;
  /** Aborted when the client has left, or its deadline is over. */
  readonly signal: AbortSignal;
}

export interface SubgraphOptions {
  readonly name: string;
  /** The hand-written contract from schema/. */
  readonly typeDefs: string;
  readonly resolvers: Readonly<Record<string, unknown>>;
  readonly logger: Logger;
  /** Rejects when the subgraph can't serve. Default: always ready. */
  readonly ping?: (signal: AbortSignal) => Promise<unknown>;
}

/** A subgraph as its callers see it, in the same process or behind HTTP. */
export interface Subgraph extends SubgraphTransport {
  readonly name: string;
  readonly schema: GraphQLSchema;
}

// The gateway sends few distinct operations, and always the same text for one of them.
const documentsMax = 2_000;

/**
 * Builds the executable subgraph: schema and resolvers joined, `@access` enforced, documents parsed and validated
 * once, errors brought to the catalogue.
 *
 * @throws Error when the schema is broken or a field lacks `@access`
 */
export function createSubgraph(options: SubgraphOptions): Subgraph {
  const { name, typeDefs, resolvers, logger, ping = async () => {} } = options;
  const schema = buildSubgraphSchema({ typeDefs: parse(typeDefs), resolvers: resolvers as never });
  enforceAccess(schema, resolvers);

  const documents = new LRUCache<string, DocumentNode | readonly GraphQLError[]>({ max: documentsMax });

  const readDocument = (query: string): DocumentNode | readonly GraphQLError[] => {
    let document = documents.get(query);
    if (document === undefined) {
      document = parseAndValidate(schema, query);
      documents.set(query, document);
    }
    return document;
  };

  const executionArgs = (document: DocumentNode, request: SubgraphRequest, signal: AbortSignal): ExecutionArgs => ({
    schema,
    document,
    variableValues: request.variables ?? {},
    operationName: request.operationName ?? null,
    contextValue: { caller: request.caller, requestId: request.requestId, traceparent: request.traceparent, signal },
  });

  const format = (result: ExecutionResult, request: SubgraphRequest): ExecutionResult =>
    result.errors === undefined
      ? result
      : // A formatted error is what GraphQLError.toJSON gives; the transport contract does not tell them apart.
        {
          ...result,
          errors: result.errors.map((error) =>
            formatError(error, request, logger),
          ) as unknown as readonly GraphQLError[],
        };

  const eventSchema = eventSchemaOf(schema);
  const eventDocuments = new WeakMap<DocumentNode, { readonly document: DocumentNode | undefined }>();

  /** What executes one event of a subscription: its arguments and variables have done their part by then. */
  const eventArgsOf = (args: ExecutionArgs): ExecutionArgs => {
    let known = eventDocuments.get(args.document);
    if (known === undefined) {
      known = { document: eventDocumentOf(args.document) };
      eventDocuments.set(args.document, known);
    }
    return known.document === undefined
      ? args
      : { ...args, schema: eventSchema, document: known.document, variableValues: {} };
  };

  async function* runSubscription(
    request: SubgraphRequest,
    signal: AbortSignal,
  ): AsyncGenerator<ExecutionResult, void> {
    const document = readDocument(request.query);
    if (!('kind' in document)) {
      yield { errors: document };
      return;
    }
    const args = executionArgs(document, request, signal);
    const source = await createSourceEventStream(args);
    if (!(Symbol.asyncIterator in source)) {
      yield source;
      return;
    }
    const eventArgs = eventArgsOf(args);
    for await (const rootValue of source) yield execute({ ...eventArgs, rootValue });
  }

  return {
    name,
    schema,
    async execute(request, signal) {
      signal.throwIfAborted();
      const document = readDocument(request.query);
      if (!('kind' in document)) return format({ errors: document }, request);
      const outcome = execute(executionArgs(document, request, signal));
      return format(await unlessAborted(outcome, signal), request);
    },
    subscribe(request, signal) {
      return new EventStream<ExecutionResult, ExecutionResult>({
        signal,
        open: (ownSignal) => runSubscription(request, ownSignal),
        perEvent: (result) => format(result, request),
        onFailure: (error) => format({ errors: [asGraphQLError(error)] }, request),
      });
    },
    async ping(signal) {
      await ping(signal);
    },
    async close() {},
  };
}

function parseAndValidate(schema: GraphQLSchema, query: string): DocumentNode | readonly GraphQLError[] {
  try {
    const document = parse(query, { noLocation: true });
    const errors = validate(schema, document, specifiedRules);
    return errors.length === 0 ? document : errors;
  } catch (error) {
    if (error instanceof GraphQLError) return [error];
    throw error;
  }
}

/** Rejects with the signal's reason as soon as it aborts; the resolvers see the same signal and end by themselves. */
function unlessAborted<Result>(outcome: Result | Promise<Result>, signal: AbortSignal): Result | Promise<Result> {
  if (!(outcome instanceof Promise)) return outcome;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const settle =
      <Value>(then: (value: Value) => void) =>
      (value: Value) => {
        signal.removeEventListener('abort', onAbort);
        then(value);
      };
    outcome.then(settle(resolve), settle(reject));
  });
}

function formatError(error: GraphQLError, request: SubgraphRequest, logger: Logger): GraphQLFormattedError {
  const { message, locations, path, originalError } = error;
  const place = { ...(locations === undefined ? {} : { locations }), ...(path === undefined ? {} : { path }) };
  if (originalError instanceof AppError) return { message, ...place, extensions: { ...originalError.toExtensions() } };
  if (originalError === undefined && path === undefined) {
    // Of the request itself: syntax, validation, or a variable's value. graphql-js made the message for the caller.
    const code = message.startsWith('Variable "$') ? 'INVALID_INPUT' : 'GRAPHQL_VALIDATION_FAILED';
    return { message, ...place, extensions: { code, retryable: false } };
  }
  logger.error({ err: originalError ?? error, requestId: request.requestId, path }, 'resolver failed');
  const masked = internalError(originalError ?? error);
  return { message: masked.message, ...place, extensions: { ...masked.toExtensions() } };
}

/** A source's own failure, as the error of an operation that has no path. */
const asGraphQLError = (error: unknown): GraphQLError => {
  const originalError = error instanceof Error ? error : new Error(String(error));
  return new GraphQLError(originalError.message, { originalError });
};
