import { buildSubgraphSchema } from '@apollo/subgraph';
import {
  execute,
  GraphQLError,
  parse,
  specifiedRules,
  subscribe,
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
import type { Logger } from './logging.ts';
import type { SubgraphRequest, SubgraphTransport } from './subgraph-transport.ts';

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
        { ...result, errors: result.errors.map((error) => formatError(error, request, logger)) as unknown as readonly GraphQLError[] };

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
      return new SubscriptionStream(signal, async (ownSignal) => {
        const document = readDocument(request.query);
        if (!('kind' in document)) return format({ errors: document }, request);
        const outcome = await subscribe(executionArgs(document, request, ownSignal));
        if (!(Symbol.asyncIterator in outcome)) return format(outcome, request);
        return mapResults(outcome as AsyncGenerator<ExecutionResult>, (result) => format(result, request));
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
    const settle = <Value>(then: (value: Value) => void) => (value: Value) => {
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

async function* mapResults(source: AsyncGenerator<ExecutionResult>, map: (result: ExecutionResult) => ExecutionResult) {
  for await (const result of source) yield map(result);
}

type StreamSource = (signal: AbortSignal) => Promise<ExecutionResult | AsyncGenerator<ExecutionResult>>;

/**
 * The subscription's results as an iterator whose `return` ends a quiet source too: an async generator alone would
 * queue `return` behind the `next` that waits for an event. It aborts the signal that the source's resolver holds.
 */
class SubscriptionStream implements AsyncIterableIterator<ExecutionResult> {
  readonly #open: StreamSource;
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #onOuterAbort: () => void;
  readonly #aborted: Promise<IteratorResult<ExecutionResult>>;
  #source: AsyncGenerator<ExecutionResult> | undefined;
  #state: 'new' | 'open' | 'done' = 'new';

  constructor(outer: AbortSignal, open: StreamSource) {
    this.#open = open;
    this.#outer = outer;
    this.#onOuterAbort = () => this.#controller.abort(outer.reason);
    this.#aborted = new Promise((resolve) => {
      this.#controller.signal.addEventListener('abort', () => resolve({ done: true, value: undefined }), { once: true });
    });
    if (outer.aborted) this.#controller.abort(outer.reason);
    else outer.addEventListener('abort', this.#onOuterAbort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<ExecutionResult>> {
    if (this.#state === 'done') return { done: true, value: undefined };
    const result = await Promise.race([this.#advance(), this.#aborted]);
    if (result.done === true) this.#end();
    return result;
  }

  async return(): Promise<IteratorResult<ExecutionResult>> {
    this.#end();
    return { done: true, value: undefined };
  }

  async #advance(): Promise<IteratorResult<ExecutionResult>> {
    if (this.#state === 'new') {
      this.#state = 'open';
      const opened = await this.#open(this.#controller.signal);
      if (!(Symbol.asyncIterator in opened)) {
        // Not #end(): its abort would overtake this result in the race of next().
        this.#state = 'done';
        this.#outer.removeEventListener('abort', this.#onOuterAbort);
        return { done: false, value: opened };
      }
      this.#source = opened;
    }
    if (this.#source === undefined || this.#controller.signal.aborted) return { done: true, value: undefined };
    return this.#source.next();
  }

  #end(): void {
    if (this.#state === 'done') return;
    this.#state = 'done';
    this.#outer.removeEventListener('abort', this.#onOuterAbort);
    this.#controller.abort(new AppError('CLIENT_CLOSED_REQUEST', 'The reader of the subscription left.'));
    // Not awaited: it may queue behind a pending `next`, which the abort just ended.
    void this.#source?.return(undefined).catch(() => {});
  }
}
