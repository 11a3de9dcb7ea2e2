import type { IncomingHttpHeaders } from 'node:http';
import {
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  Kind,
  typeFromAST,
  type DocumentNode,
  type GraphQLInputType,
  type GraphQLSchema,
  type TypeNode,
  type OperationDefinitionNode,
  isInputType,
} from 'graphql';
import { AppError, invalidInput } from '#platform/errors.ts';
import { toSnakeCase } from './case-mapping.ts';
import { compileInput, isJsonObject, type InputReaders, type ReadInput } from './input-mapping.ts';
import { InputReading, parsePath, renderPath } from './input-path.ts';
import { didYouMean } from './near-names.ts';
import { compileParameter } from './parameter-mapping.ts';
import type { BodyMapping, RequestMapping } from './route.ts';
import { steeringTypes } from './steering.ts';

/** What the mapping reads of an HTTP request. */
export interface RestRequest {
  readonly body: unknown;
  readonly query: Readonly<Record<string, unknown>>;
  readonly params: Readonly<Record<string, unknown>>;
  readonly headers: IncomingHttpHeaders;
}

export interface MappedRequest {
  readonly variables: Record<string, unknown>;
  /** The steering fields of the body, such as `stream`. */
  readonly steering: Readonly<Record<string, unknown>>;
  /** Brings a path in GraphQL's spelling, from a subgraph's error, into the client's. */
  readonly toClientPath: (graphqlPath: string) => string;
}

/** @throws AppError INVALID_INPUT with all problems at once, BAD_REQUEST where a body is missing */
export type MapRequest = (request: RestRequest) => MappedRequest;

interface Target {
  readonly variable: string;
  readonly fields: readonly string[];
  readonly type: GraphQLInputType;
  /** Of the field; variables themselves have none. */
  readonly description: string | undefined;
}

/**
 * Compiles the request half of a table row.
 *
 * @throws Error when the row names a variable, field or type that the operation or schema does not have
 */
export function compileRequest(mapping: RequestMapping, schema: GraphQLSchema, document: DocumentNode): MapRequest {
  const types = variableTypes(schema, document);
  const readers: InputReaders = new Map();
  const body = mapping.body && compileBody(mapping.body, types, readers, schema);
  const path = compileParameters(mapping.path ?? {}, types, readers);
  const query = compileParameters(mapping.query ?? {}, types, readers);
  const headers = compileParameters(mapping.headers ?? {}, types, readers);
  const parameterNames = new Map(
    [...path, ...query].map(({ name, target }) => [[target.variable, ...target.fields].join('.'), name]),
  );

  return (request) => {
    const reading = new InputReading();
    const variables: Record<string, unknown> = {};
    const translated = body?.(request.body, variables, reading);
    for (const { name, target, read } of path)
      assign(variables, target, readAt(read, request.params[pathKey(name)], name, reading));
    for (const name of Object.keys(request.query)) {
      const parameter = query.find((candidate) => candidate.name === name);
      if (parameter !== undefined) {
        assign(variables, parameter.target, readAt(parameter.read, request.query[name], name, reading));
      } else if (!reading.full) {
        reading.enter(name);
        reading.refuse(
          `is not a known parameter${didYouMean(
            name,
            query.map((candidate) => candidate.name),
          )}`,
        );
        reading.leave();
      }
    }
    for (const { name, target, read } of headers) {
      const given = request.headers[name];
      if (given !== undefined) assignHeader(variables, target, readAt(read, given, name, reading), name, reading);
    }
    const clientPaths = translated?.clientPaths;
    const problems = reading.problems;
    if (problems.length > 0) {
      throw invalidInput(
        clientPaths === undefined
          ? problems
          : problems.map(({ path: at, reason }) => ({ path: renamed(at, clientPaths), reason })),
      );
    }
    return {
      variables,
      steering: translated?.steering ?? {},
      toClientPath: (graphqlPath) =>
        renamed(toClientPath(graphqlPath, types, parameterNames, mapping.body?.variable), clientPaths),
    };
  };
}

// --- body -------------------------------------------------------------------------------------------------------

type ReadBody = (
  body: unknown,
  variables: Record<string, unknown>,
  reading: InputReading,
) => { steering: Record<string, unknown>; clientPaths: Readonly<Record<string, string>> | undefined };

function compileBody(
  mapping: BodyMapping,
  types: VariableTypes,
  readers: InputReaders,
  schema: GraphQLSchema,
): ReadBody {
  const type = types.get(mapping.variable);
  if (type === undefined) throw new Error(`The operation has no variable $${mapping.variable} for the body.`);
  const read = compileInput(type, readers);
  const steeringReaders = Object.entries(steeringTypes(mapping, schema)).map(([name, steeringType]) => ({
    name,
    read: compileInput(steeringType, readers),
  }));
  return (given, variables, reading) => {
    if (given === undefined)
      throw new AppError(
        'BAD_REQUEST',
        'The request has no body; send a JSON object with `content-type: application/json`.',
      );
    if (!isJsonObject(given)) {
      read(given, reading);
      return { steering: {}, clientPaths: undefined };
    }
    const translated = mapping.translate?.(given, reading);
    const body: Record<string, unknown> = { ...(translated?.body ?? given) };
    const steering: Record<string, unknown> = {};
    for (const { name, read: readSteering } of steeringReaders) {
      if (!Object.hasOwn(body, name)) continue;
      steering[name] = readAt(readSteering, body[name], name, reading);
      delete body[name];
    }
    variables[mapping.variable] = read(body, reading);
    return { steering, clientPaths: translated?.clientPaths };
  };
}

// --- parameters -------------------------------------------------------------------------------------------------

interface Parameter {
  readonly name: string;
  readonly target: Target;
  readonly read: ReadInput;
}

function compileParameters(
  parameters: Readonly<Record<string, string>>,
  types: VariableTypes,
  readers: InputReaders,
): Parameter[] {
  return Object.entries(parameters).map(([name, path]) => {
    const target = resolveTarget(path, types);
    return { name, target, read: compileParameter(target.type, readers) };
  });
}

/** Fastify calls what a wildcard matched `*`. */
export const pathKey = (name: string): string => (name.endsWith('+') ? '*' : name);

function readAt(read: ReadInput, value: unknown, name: string, reading: InputReading): unknown {
  reading.enter(name.replace(/\+$/, ''));
  const result = read(value, reading);
  reading.leave();
  return result;
}

function assign(variables: Record<string, unknown>, { variable, fields }: Target, value: unknown): void {
  let at = variables;
  let key = variable;
  for (const field of fields) {
    const inner = at[key];
    at = isJsonObject(inner) ? inner : (at[key] = {} as Record<string, unknown>);
    key = field;
  }
  at[key] = value;
}

function assignHeader(
  variables: Record<string, unknown>,
  target: Target,
  value: unknown,
  name: string,
  reading: InputReading,
): void {
  const given = valueAt(variables, target);
  if (given === undefined || given === null) assign(variables, target, value);
  else if (given !== value && value !== undefined) {
    reading.enter(name);
    reading.refuse(
      `contradicts ${toSnakeCase(target.fields.at(-1) ?? target.variable)} in the request; send one of the two, or the same`,
    );
    reading.leave();
  }
}

function valueAt(variables: Record<string, unknown>, { variable, fields }: Target): unknown {
  let value = variables[variable];
  for (const field of fields) value = isJsonObject(value) ? value[field] : undefined;
  return value;
}

// --- types and paths --------------------------------------------------------------------------------------------

type VariableTypes = ReadonlyMap<string, GraphQLInputType>;

export function variableTypes(schema: GraphQLSchema, document: DocumentNode): VariableTypes {
  const operation = document.definitions.find(
    (node): node is OperationDefinitionNode => node.kind === Kind.OPERATION_DEFINITION,
  );
  return new Map(
    (operation?.variableDefinitions ?? []).map(({ variable, type }) => {
      const resolved = typeFromAST(schema, type as TypeNode);
      if (resolved === undefined || !isInputType(resolved))
        throw new Error(`The schema has no type for $${variable.name.value}.`);
      return [variable.name.value, resolved];
    }),
  );
}

/** @throws Error when there is no such variable or field, or it holds more than one value */
export function resolveTarget(path: string, types: VariableTypes): Target {
  const [variable = '', ...fields] = path.split('.');
  let type = types.get(variable);
  let description: string | undefined;
  for (const name of fields) {
    const inner: GraphQLInputType | undefined = isNonNullType(type) ? type.ofType : type;
    const field = isInputObjectType(inner) ? inner.getFields()[name] : undefined;
    type = field?.type;
    description = field?.description ?? undefined;
  }
  if (type === undefined) throw new Error(`The operation has no variable $${path}.`);
  const inner = isNonNullType(type) ? type.ofType : type;
  if (!isLeafType(inner)) throw new Error(`$${path} does not fit into a parameter.`);
  return { variable, fields, type, description };
}

function toClientPath(
  graphqlPath: string,
  types: VariableTypes,
  parameterNames: ReadonlyMap<string, string>,
  bodyVariable: string | undefined,
): string {
  const parameter = parameterNames.get(graphqlPath);
  if (parameter !== undefined) return parameter.replace(/\+$/, '');
  const segments = parsePath(graphqlPath);
  // A subgraph may name a field of the input with or without the input's own name.
  if (bodyVariable !== undefined && segments[0] === bodyVariable && segments.length > 1) segments.shift();
  let type: GraphQLInputType | undefined = bodyVariable === undefined ? undefined : types.get(bodyVariable);
  return renderPath(
    segments.map((segment) => {
      if (isNonNullType(type)) type = type.ofType;
      if (typeof segment === 'number') {
        type = isListType(type) ? type.ofType : undefined;
        return segment;
      }
      const field = isInputObjectType(type) ? type.getFields()[segment] : undefined;
      const known = type !== undefined || bodyVariable === undefined;
      type = field?.type;
      // Inside a custom scalar the names are the client's own.
      return field !== undefined || (known && bodyVariable === undefined) ? toSnakeCase(segment) : segment;
    }),
  );
}

/** `reasoning.effort` as the client called it, also for paths below. */
function renamed(path: string, clientPaths: Readonly<Record<string, string>> | undefined): string {
  if (clientPaths === undefined) return path;
  for (const [ours, theirs] of Object.entries(clientPaths)) {
    if (path === ours) return theirs;
    if (path.startsWith(`${ours}.`) || path.startsWith(`${ours}[`)) return theirs + path.slice(ours.length);
  }
  return path;
}
