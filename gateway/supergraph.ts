import { operationFromDocument, Supergraph as FederationSupergraph, type Schema } from '@apollo/federation-internals';
import { QueryPlanner, type FetchNode, type QueryPlan } from '@apollo/query-planner';
import {
  getVariableValues,
  GraphQLError,
  specifiedRules,
  validate,
  type DocumentNode,
  type ExecutionResult,
  type FormattedExecutionResult,
  type GraphQLFormattedError,
  type GraphQLSchema,
  type OperationDefinitionNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { internalError } from '#platform/error-response.ts';
import type { Logger } from '#platform/logging.ts';
import type { SubgraphTransport } from '#platform/subgraph-transport.ts';
import { EventStream, streamOfOne } from '#platform/event-stream.ts';
import { fromAppError, maskExecutionErrors, requestError, trimPaths, type ErrorPlace } from './graphql-errors.ts';
import {
  checkLimits,
  defaultLimits,
  OperationTooComplexError,
  parseWithinLimits,
  type OperationLimits,
} from './limits.ts';
import {
  badVariable,
  chooseOperation,
  introspects,
  onlyOperation,
  pickDeclared,
  refuseConditionsAtSubscriptionRoots,
  toSubgraphRequest,
  UnknownOperationError,
} from './operation-document.ts';
import { findPassThrough, typesThatHide } from './pass-through.ts';
import { failedFetchErrors, PlanExecutor } from './plan-execution.ts';
import type { OperationRequest, PassThrough, Preparation, PreparedOperation } from './prepared-operation.ts';

export interface SupergraphOptions {
  /** One for each subgraph that the supergraph names, by its name. */
  readonly transports: Readonly<Record<string, SubgraphTransport>>;
  readonly limits?: Partial<OperationLimits>;
  readonly logger: Logger;
  /**
   * How long one fetch from a subgraph may take, in milliseconds, for all or by the subgraph's name. Default 60 s.
   * Subscriptions have no such end.
   */
  readonly fetchDeadlineMs?: number | Readonly<Record<string, number>>;
  /** How many prepared operations are kept. Default 1,000. */
  readonly preparedOperationsMax?: number;
  /** False sends every operation through the plan's execution; for tests that compare the two ways. */
  readonly passThrough?: boolean;
}

const defaultFetchDeadlineMs = 60_000;

/**
 * One version of the supergraph: prepares operations (parse, limits, validation, plan: once for each source) and runs
 * them on the subgraphs.
 */
export class Supergraph {
  /** What clients see: without federation's own fields and what is `@inaccessible`. */
  readonly apiSchema: GraphQLSchema;
  readonly sdl: string;
  readonly limits: OperationLimits;
  readonly #federationApiSchema: Schema;
  readonly #planner: QueryPlanner;
  readonly #executor: PlanExecutor;
  readonly #hidingTypes: ReadonlySet<string>;
  readonly #logger: Logger;
  readonly #passThroughWanted: boolean;
  readonly #prepared: LRUCache<string, Preparation>;

  private constructor(sdl: string, federation: FederationSupergraph, options: SupergraphOptions) {
    const {
      transports,
      limits,
      logger,
      fetchDeadlineMs = defaultFetchDeadlineMs,
      preparedOperationsMax = 1_000,
      passThrough = true,
    } = options;
    const missing = federation.subgraphsMetadata().filter(({ name }) => !Object.hasOwn(transports, name));
    if (missing.length > 0) {
      throw new Error(
        `The supergraph names subgraphs that this gateway has no address of: ${missing.map(({ name }) => name).join(', ')}.`,
      );
    }
    this.sdl = sdl;
    this.#federationApiSchema = federation.apiSchema();
    this.apiSchema = this.#federationApiSchema.toGraphQLJSSchema();
    this.#planner = new QueryPlanner(federation);
    this.#hidingTypes = typesThatHide(federation, this.apiSchema);
    this.limits = { ...defaultLimits, ...limits };
    this.#logger = logger;
    this.#passThroughWanted = passThrough;
    this.#prepared = new LRUCache({ max: preparedOperationsMax });
    this.#executor = new PlanExecutor({
      transports,
      logger,
      apiSchema: this.#federationApiSchema,
      graphqlSchema: this.apiSchema,
      supergraphSchema: federation.schema.toGraphQLJSSchema(),
      fetchDeadlineMs: (name) =>
        typeof fetchDeadlineMs === 'number' ? fetchDeadlineMs : (fetchDeadlineMs[name] ?? defaultFetchDeadlineMs),
    });
  }

  /** @throws Error when the SDL is no supergraph, or names a subgraph without a transport */
  static fromSdl(sdl: string, options: SupergraphOptions): Supergraph {
    return new Supergraph(sdl, FederationSupergraph.build(sdl), options);
  }

  /**
   * Never throws for what a client wrote. The result is kept by source and operation name.
   *
   * @param source GraphQL text
   * @param operationName needed where the text holds several operations
   */
  prepare(source: string, operationName?: string): Preparation {
    // Not even hashed beyond the limit. Names hold no space, so the key is unambiguous.
    const key =
      source.length > this.limits.sourceLengthMax
        ? undefined
        : operationName === undefined
          ? source
          : `${operationName} ${source}`;
    const known = key === undefined ? undefined : this.#prepared.get(key);
    if (known !== undefined) return known;
    const preparation = this.#prepareAnew(source, operationName);
    // Refusals are kept too: a client that repeats a costly mistake should not cost much.
    if (key !== undefined) this.#prepared.set(key, preparation);
    return preparation;
  }

  /**
   * Runs a query or mutation. Failures are in the result's `errors`, masked for clients: each has
   * `extensions.code` of the catalogue, `retryable`, `requestId`, and `retryAfterMs` and `details` where known. Wrong
   * variables give `errors` with INVALID_INPUT and no `data`, before any fetch.
   * Rejects with the signal's reason when the signal aborts; all fetches are aborted then.
   */
  async execute(
    operation: PreparedOperation,
    request: OperationRequest,
    signal: AbortSignal,
  ): Promise<FormattedExecutionResult> {
    if (operation.kind === 'subscription') throw new Error('A subscription is run by subscribe().');
    const { requestId } = request;
    const problems = this.#checkVariables(operation, request);
    if (problems !== undefined) return { errors: problems };

    const { passThrough, plan, document } = operation;
    if (passThrough === undefined)
      return this.#answer(await this.#executor.execute(plan, document, request, signal), requestId);
    const result = await this.#fetchWhole(operation, passThrough, request, signal);
    if (result.data !== undefined && result.data !== null) return this.#answer(result, requestId);
    // Nothing came: which fields are null then, and how far up, the plan's execution knows.
    const fetch = plan.node as FetchNode;
    return this.#answer(await this.#executor.execute(plan, document, request, signal, { fetch, result }), requestId);
  }

  /**
   * Runs a subscription: one result per event, errors masked as above. A refused one yields one result with `errors`
   * and ends; so does one whose subgraph is lost. Returning from the iteration stops the source at once, also while
   * `next` is waiting; aborting the signal does too, and rejects what waits with the signal's reason.
   */
  subscribe(
    operation: PreparedOperation,
    request: OperationRequest,
    signal: AbortSignal,
  ): AsyncIterableIterator<FormattedExecutionResult> {
    const { plan, passThrough, document } = operation;
    const node = plan.node;
    if (node?.kind !== 'Subscription') throw new Error('Only a subscription can be subscribed to.');
    const place = this.#place(request.requestId);
    const problems = this.#checkVariables(operation, request);
    if (problems !== undefined) return streamOfOne<FormattedExecutionResult>({ errors: problems });

    const { primary, rest } = node;
    const fetch = passThrough ?? {
      serviceName: primary.serviceName,
      query: primary.operation,
      operationName: primary.operationName,
    };
    const eventPlan: QueryPlan = {
      kind: 'QueryPlan',
      node: { kind: 'Sequence', nodes: rest === undefined ? [primary] : [primary, rest] },
    };
    return new EventStream<ExecutionResult, FormattedExecutionResult>({
      signal,
      open: (ownSignal) => {
        const variables = pickDeclared(request.variables, operation.definition);
        return this.#executor
          .transport(fetch.serviceName)
          .subscribe(toSubgraphRequest(fetch, variables, request), ownSignal);
      },
      perEvent: async (event, ownSignal) => {
        if (passThrough !== undefined || event.data === undefined || event.data === null)
          return this.#answer(event, request.requestId);
        const result = await this.#executor.execute(eventPlan, document, request, ownSignal, {
          fetch: primary,
          result: event,
        });
        return this.#answer(result, request.requestId);
      },
      onFailure: (error) => ({ errors: maskExecutionErrors([error], place) }),
    });
  }

  #prepareAnew(source: string, operationName: string | undefined): Preparation {
    try {
      const whole = parseWithinLimits(source, this.limits);
      checkLimits(whole, this.limits);
      refuseConditionsAtSubscriptionRoots(whole);
      const errors = validate(this.apiSchema, whole, specifiedRules, { maxErrors: 10 });
      if (errors.length > 0) return { errors: errors.map((error) => requestError('GRAPHQL_VALIDATION_FAILED', error)) };
      return { operation: this.#plan(source, whole, chooseOperation(whole, operationName)) };
    } catch (error) {
      if (error instanceof OperationTooComplexError) return { errors: [requestError('OPERATION_TOO_COMPLEX', error)] };
      if (error instanceof GraphQLError) {
        const unreadable = error instanceof UnknownOperationError || error.message.startsWith('Syntax Error');
        return { errors: [requestError(unreadable ? 'BAD_REQUEST' : 'GRAPHQL_VALIDATION_FAILED', error)] };
      }
      // A defect of validation or planning ends this operation, not the process, and is as deterministic as they are.
      this.#logger.error({ err: error }, 'an operation could not be prepared');
      return { errors: [requestError('INTERNAL_ERROR', new GraphQLError(internalError(error).message))] };
    }
  }

  #plan(source: string, whole: DocumentNode, definition: OperationDefinitionNode): PreparedOperation {
    const document = onlyOperation(whole, definition);
    const operation = operationFromDocument(this.#federationApiSchema, document);
    const plan = this.#planner.buildQueryPlan(operation);
    return {
      source,
      name: definition.name?.value,
      kind: definition.operation,
      introspects: introspects(document),
      document,
      definition,
      plan,
      passThrough: this.#passThroughWanted
        ? findPassThrough(plan, operation, this.apiSchema, this.#hidingTypes)
        : undefined,
    };
  }

  async #fetchWhole(
    operation: PreparedOperation,
    fetch: PassThrough,
    request: OperationRequest,
    signal: AbortSignal,
  ): Promise<ExecutionResult> {
    const variables = pickDeclared(request.variables, operation.definition);
    try {
      return await this.#executor.fetch(fetch.serviceName, toSubgraphRequest(fetch, variables, request), signal);
    } catch (error) {
      if (signal.aborted) throw error;
      return { errors: failedFetchErrors(error, fetch.query, variables) };
    }
  }

  #answer({ data, errors }: ExecutionResult, requestId: string): FormattedExecutionResult {
    if (errors === undefined || errors.length === 0) return { data: data ?? null };
    const masked = trimPaths(maskExecutionErrors(errors, this.#place(requestId)), data);
    return { errors: masked, data: data ?? null };
  }

  /** INVALID_INPUT for each variable that does not fit; undefined when all do. */
  #checkVariables(
    { definition }: PreparedOperation,
    { variables = {}, requestId }: OperationRequest,
  ): GraphQLFormattedError[] | undefined {
    const definitions = definition.variableDefinitions;
    if (definitions === undefined || definitions.length === 0) return undefined;
    const { errors } = getVariableValues(this.apiSchema, definitions, variables, { maxErrors: 10 });
    return errors?.map((error) => fromAppError(badVariable(error.message), requestId));
  }

  #place(requestId: string): ErrorPlace {
    return { requestId, logger: this.#logger };
  }
}
