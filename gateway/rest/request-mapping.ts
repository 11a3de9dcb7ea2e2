import type { IncomingHttpHeaders } from 'node:http';
import type { DocumentNode, GraphQLSchema } from 'graphql';
import { AppError, invalidInput } from '#platform/errors.ts';
import { toSnakeCase } from './case-mapping.ts';
import { compileInput, isJsonObject, type InputReaders, type ReadInput } from './input-mapping.ts';
import { InputReading } from './input-path.ts';
import { didYouMean } from './near-names.ts';
import {
  renamed,
  resolveTarget,
  toClientPath,
  variableTypes,
  type Target,
  type VariableTypes,
} from './operation-variables.ts';
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
