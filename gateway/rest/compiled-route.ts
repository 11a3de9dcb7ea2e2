import type { FastifyReply, FastifyRequest } from 'fastify';
import { parse, type DocumentNode, type FormattedExecutionResult, type GraphQLSchema } from 'graphql';
import { AppError } from '#platform/errors.ts';
import type { PreparedOperation, OperationRequest } from '../prepared-operation.ts';
import type { Supergraph } from '../supergraph.ts';
import { compileOutput, type MapOutput } from './output-mapping.ts';
import { rootShape, type ObjectShape, type OutputShape } from './output-shape.ts';
import { compileRequest, type MappedRequest, type MapRequest } from './request-mapping.ts';
import { resultError } from './result-errors.ts';
import type { MappedResponse, RestGroup, RestRoute, StreamMapping, WireResponse } from './route.ts';

/** Pages of a list that is read whole; more than this is no list anybody reads. */
const pagesMax = 50;

/** A row of the table made ready for one supergraph. */
export interface CompiledRoute {
  readonly mapRequest: MapRequest;
  /** The answer's body. @throws AppError what the operation failed with */
  readonly answer: (mapped: MappedRequest, context: AnswerContext) => Promise<unknown>;
  readonly status: number;
  readonly stream: CompiledStream | undefined;
}

export interface AnswerContext {
  readonly operationRequest: Omit<OperationRequest, 'variables'>;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly signal: AbortSignal;
}

export interface CompiledStream {
  readonly mapping: StreamMapping;
  readonly mapEvent: MapOutput;
  /** The subscription's root field. */
  readonly responseName: string;
  readonly subscribe: (
    request: OperationRequest,
    signal: AbortSignal,
  ) => AsyncIterableIterator<FormattedExecutionResult>;
}

export type CompiledTable = ReadonlyMap<RestRoute, CompiledRoute>;

/**
 * Prepares every operation of the table and compiles its mappings.
 *
 * @throws Error naming each route that does not fit the supergraph, with the reason
 */
export function compileTable(groups: readonly RestGroup[], supergraph: Supergraph): CompiledTable {
  const table = new Map<RestRoute, CompiledRoute>();
  const misfits: string[] = [];
  for (const { prefix, routes } of groups) {
    for (const route of routes) {
      try {
        table.set(route, compileRoute(route, supergraph));
      } catch (error) {
        misfits.push(`${route.method} ${prefix}${route.path}: ${(error as Error).message}`);
      }
    }
  }
  if (misfits.length > 0) throw new Error(`REST routes do not fit the supergraph:\n${misfits.join('\n')}`);
  return table;
}

function compileRoute(route: RestRoute, supergraph: Supergraph): CompiledRoute {
  const { apiSchema: schema } = supergraph;
  const operation = prepare(supergraph, route.operation);
  const { responseName, shape } = rootShape(schema, operation.document);
  const { response } = route;
  const wholeList = response.wholeList === true;
  if (wholeList || ('list' in response && response.list !== undefined)) connectionNodes(shape);
  const toBody = 'render' in response ? renderWith(response) : mapWith(response, shape);

  const execute = async (
    mapped: MappedRequest,
    variables: Readonly<Record<string, unknown>>,
    context: AnswerContext,
  ) => {
    const result = await supergraph.execute(operation, { ...context.operationRequest, variables }, context.signal);
    if (result.errors !== undefined && result.errors.length > 0) throw resultError(result.errors, mapped.toClientPath);
    const value = result.data?.[responseName];
    if (value !== null && value !== undefined) return value;
    throw response.whenNull?.(context.request) ?? new AppError('NOT_FOUND', 'There is no such thing.');
  };

  return {
    mapRequest: compileRequest(route.request, schema, operation.document),
    status: response.status ?? 200,
    stream: route.stream && compileStream(route.stream, route, supergraph),
    answer: async (mapped, context) => {
      const { variables } = mapped;
      let value = await execute(mapped, variables, context);
      if (wholeList && variables['first'] === undefined && variables['after'] === undefined) {
        value = await withOtherPages(
          value as Connection,
          (after) => execute(mapped, { ...variables, after }, context) as Promise<Connection>,
        );
      }
      return toBody(value, context);
    },
  };
}

function compileStream(stream: StreamMapping, route: RestRoute, supergraph: Supergraph): CompiledStream {
  const operation = prepare(supergraph, stream.operation);
  if (operation.kind !== 'subscription') throw new Error('the stream is no subscription');
  // The same request serves both operations, so both take the same variables.
  compileRequest(route.request, supergraph.apiSchema, operation.document);
  const { responseName, shape } = rootShape(supergraph.apiSchema, operation.document);
  return {
    mapping: stream,
    mapEvent: compileOutput(shape, stream.leftOutWhenNull),
    responseName,
    subscribe: (request, signal) => supergraph.subscribe(operation, request, signal),
  };
}

function prepare(supergraph: Supergraph, source: string): PreparedOperation {
  const { operation, errors } = supergraph.prepare(source);
  if (operation === undefined) throw new Error(errors.map(({ message }) => message).join('; '));
  return operation;
}

/** The document of an operation for those who only need its shape. */
export const shapeOf = (schema: GraphQLSchema, source: string): OutputShape =>
  rootShape(schema, parse(source) as DocumentNode).shape;

// --- answers ----------------------------------------------------------------------------------------------------

type ToBody = (value: unknown, context: AnswerContext) => unknown;

const renderWith =
  ({ render }: WireResponse): ToBody =>
  (value, { request, reply }) =>
    render(value as never, request.body, reply);

function mapWith(response: MappedResponse, shape: OutputShape): ToBody {
  const { list } = response;
  if (list === undefined) return compileOutput(shape, response.leftOutWhenNull);
  const mapNodes = compileOutput(connectionNodes(shape), response.leftOutWhenNull);
  return (value) => {
    const { nodes, pageInfo } = value as Connection;
    return {
      [list]: mapNodes(nodes),
      ...(pageInfo.hasNextPage && pageInfo.endCursor !== null ? { next_cursor: pageInfo.endCursor } : {}),
    };
  };
}

// --- connections ------------------------------------------------------------------------------------------------

interface Connection {
  readonly nodes: readonly unknown[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

/**
 * The shape of a connection's `nodes`.
 *
 * @throws Error when the operation does not select what a list needs
 */
export function connectionNodes(shape: OutputShape): OutputShape {
  const field = (of: ObjectShape | undefined, name: string) =>
    of?.fields.find(({ responseName }) => responseName === name)?.shape;
  const connection = shape.kind === 'object' ? shape : undefined;
  const nodes = field(connection, 'nodes');
  const pageInfo = field(connection, 'pageInfo');
  if (
    nodes === undefined ||
    pageInfo?.kind !== 'object' ||
    !field(pageInfo, 'hasNextPage') ||
    !field(pageInfo, 'endCursor')
  ) {
    throw new Error('a list selects `nodes` and `pageInfo { hasNextPage endCursor }`');
  }
  return nodes;
}

async function withOtherPages(first: Connection, next: (after: string) => Promise<Connection>): Promise<Connection> {
  const nodes = [...first.nodes];
  let { pageInfo } = first;
  for (let page = 1; page < pagesMax && pageInfo.hasNextPage && pageInfo.endCursor !== null; page += 1) {
    const connection = await next(pageInfo.endCursor);
    nodes.push(...connection.nodes);
    ({ pageInfo } = connection);
  }
  return { nodes, pageInfo };
}
