import type { Schema } from '@apollo/federation-internals';
import { buildOperationContext, executeQueryPlan, type GraphQLDataSource, type ServiceMap } from '@apollo/gateway';
import type { FetchNode, QueryPlan } from '@apollo/query-planner';
import {
  GraphQLError,
  Kind,
  parse,
  type DocumentNode,
  type ExecutionResult,
  type GraphQLSchema,
  type SelectionSetNode,
} from 'graphql';
import { AppError } from '#platform/errors.ts';
import type { Logger } from '#platform/logging.ts';
import type { SubgraphRequest, SubgraphTransport } from '#platform/subgraph-transport.ts';
import type { OperationRequest } from './prepared-operation.ts';

/** What one execution of a plan carries to the data sources. */
interface PlanContext {
  readonly request: OperationRequest;
  readonly signal: AbortSignal;
  /** An answer that is there already for one of the plan's fetches, such as the event of a subscription. */
  readonly known: { readonly fetch: FetchNode; readonly result: ExecutionResult } | undefined;
}

export interface PlanExecutorOptions {
  readonly transports: Readonly<Record<string, SubgraphTransport>>;
  readonly apiSchema: Schema;
  readonly graphqlSchema: GraphQLSchema;
  readonly supergraphSchema: GraphQLSchema;
  readonly logger: Logger;
  readonly fetchDeadlineMs: (serviceName: string) => number;
}

type RequestContext = Parameters<typeof executeQueryPlan>[2];

/** Runs query plans through @apollo/gateway's executor: parallel fetches, entity joins, partial failures. */
export class PlanExecutor {
  readonly #options: PlanExecutorOptions;
  readonly #services: ServiceMap;

  constructor(options: PlanExecutorOptions) {
    this.#options = options;
    this.#services = Object.fromEntries(Object.keys(options.transports).map((name) => [name, this.#dataSource(name)]));
  }

  /**
   * Errors in the result are raw: of subgraphs, or anything a fetch threw. Rejects with the signal's reason.
   *
   * @param document holds one operation and the fragments it uses, nothing else
   */
  async execute(
    plan: QueryPlan,
    document: DocumentNode,
    request: OperationRequest,
    signal: AbortSignal,
    known?: PlanContext['known'],
  ): Promise<ExecutionResult> {
    const { graphqlSchema, supergraphSchema, apiSchema, logger } = this.#options;
    const context: PlanContext = { request, signal, known };
    const requestContext = { logger, metrics: {}, request: { variables: request.variables ?? {} }, context };
    const result = await executeQueryPlan(
      plan,
      this.#services,
      requestContext as unknown as RequestContext,
      buildOperationContext({ schema: graphqlSchema, operationDocument: document }),
      supergraphSchema,
      apiSchema,
    );
    signal.throwIfAborted();
    const { extensions, ...answer } = result as ExecutionResult;
    // A subgraph broke its own schema; graphql-js would report what it nulled, and so do we.
    const broken = extensions?.['valueCompletion'] as readonly GraphQLError[] | undefined;
    return broken === undefined ? answer : { ...answer, errors: broken.map(brokenPromise) };
  }

  /** One fetch with its deadline; rejects as SubgraphTransport says. */
  async fetch(serviceName: string, request: SubgraphRequest, signal: AbortSignal): Promise<ExecutionResult> {
    const transport = this.transport(serviceName);
    signal.throwIfAborted();
    const deadlineMs = this.#options.fetchDeadlineMs(serviceName);
    const controller = new AbortController();
    const onAbort = () => controller.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const timer = setTimeout(() => {
      controller.abort(
        new AppError(
          'DEADLINE_EXCEEDED',
          `The part "${serviceName}" of the graph did not answer within ${deadlineMs / 1000} s.`,
        ),
      );
    }, deadlineMs);
    try {
      return await transport.execute(request, controller.signal);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  transport(serviceName: string): SubgraphTransport {
    const transport = this.#options.transports[serviceName];
    if (transport === undefined) throw new Error(`There is no transport for the subgraph "${serviceName}".`);
    return transport;
  }

  #dataSource(serviceName: string): GraphQLDataSource {
    const process = async ({
      request,
      context,
    }: {
      request: {
        query?: string | undefined;
        operationName?: string | undefined;
        variables?: Record<string, unknown> | undefined;
      };
      context: unknown;
    }) => {
      const { request: operation, signal, known } = context as PlanContext;
      const { query = '', operationName, variables } = request;
      if (known !== undefined && known.fetch.serviceName === serviceName && known.fetch.operation === query) {
        // The executor merges later answers into this one, and the event may have other readers.
        return { ...known.result, data: structuredClone(known.result.data) };
      }
      const { caller, requestId, traceparent } = operation;
      try {
        return await this.fetch(
          serviceName,
          { query, operationName, variables, caller, requestId, traceparent },
          signal,
        );
      } catch (error) {
        if (signal.aborted) throw error;
        return { errors: failedFetchErrors(error, query, variables) };
      }
    };
    return { process } as unknown as GraphQLDataSource;
  }
}

const failedFetchErrorsMax = 100;

/**
 * The errors of a fetch that gave nothing at all: one for each field that will be null, as if the subgraph had
 * answered with them, so that the executor can place them in the client's tree.
 */
export function failedFetchErrors(
  error: unknown,
  query: string,
  variables: Readonly<Record<string, unknown>> | undefined,
): GraphQLError[] {
  const { message } = error as Error;
  const extensions = error instanceof AppError ? { ...error.toExtensions() } : {};
  const originalError = error instanceof Error ? error : undefined;
  return failedPaths(query, variables)
    .slice(0, failedFetchErrorsMax)
    .map((path) => new GraphQLError(message, { path, extensions, originalError: originalError ?? null }));
}

function failedPaths(query: string, variables: Readonly<Record<string, unknown>> | undefined): (string | number)[][] {
  const operation = parse(query, { noLocation: true }).definitions.find(
    (definition) => definition.kind === Kind.OPERATION_DEFINITION,
  );
  if (operation === undefined) return [];
  const fields = responseKeys(operation.selectionSet, undefined);
  const representations = variables?.['representations'];
  if (!fields.includes('_entities') || !Array.isArray(representations)) return fields.map((key) => [key]);
  const entities = operation.selectionSet.selections.find(
    (selection) => selection.kind === Kind.FIELD && selection.name.value === '_entities',
  );
  const selectionSet = entities?.kind === Kind.FIELD ? entities.selectionSet : undefined;
  if (selectionSet === undefined) return [];
  return representations.flatMap((representation: { __typename?: string }, index) =>
    responseKeys(selectionSet, representation.__typename).map((key) => ['_entities', index, key]),
  );
}

function responseKeys(selectionSet: SelectionSetNode, typename: string | undefined): string[] {
  return selectionSet.selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD)
      return selection.name.value === '__typename' ? [] : [(selection.alias ?? selection.name).value];
    if (selection.kind !== Kind.INLINE_FRAGMENT) return [];
    const condition = selection.typeCondition?.name.value;
    return condition === undefined || typename === undefined || condition === typename
      ? responseKeys(selection.selectionSet, typename)
      : [];
  });
}

function brokenPromise(error: GraphQLError): GraphQLError {
  const { code, retryable } = new AppError('SUBGRAPH_BAD_RESPONSE', error.message).toExtensions();
  return new GraphQLError(error.message, {
    ...(error.path === undefined ? {} : { path: error.path }),
    extensions: { code, retryable },
  });
}
