import {
  isInputObjectType,
  isInputType,
  isLeafType,
  isListType,
  isNonNullType,
  Kind,
  typeFromAST,
  type DocumentNode,
  type GraphQLInputType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type TypeNode,
} from 'graphql';
import { toSnakeCase } from './case-mapping.ts';
import { parsePath, renderPath } from './input-path.ts';

/** A variable, or a field of one, that a parameter becomes. */
export interface Target {
  readonly variable: string;
  readonly fields: readonly string[];
  readonly type: GraphQLInputType;
  /** Of the field; variables themselves have none. */
  readonly description: string | undefined;
}

export type VariableTypes = ReadonlyMap<string, GraphQLInputType>;

/** @throws Error when the schema lacks a type that the operation declares */
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

/**
 * A path in GraphQL's spelling, as a subgraph's error has it, in the client's.
 *
 * @param parameterNames the client's names by `variable.field`
 * @param bodyVariable the variable that is the client's body
 */
export function toClientPath(
  graphqlPath: string,
  types: VariableTypes,
  parameterNames: ReadonlyMap<string, string>,
  bodyVariable: string | undefined,
): string {
  const parameter = parameterNames.get(graphqlPath);
  if (parameter !== undefined) return parameter.replace(/\+$/, '');
  const segments = parsePath(graphqlPath);
  // A subgraph may name a field of the input with or without the input's own name.
  if (segments[0] === bodyVariable && typeof segments[1] === 'string') segments.shift();
  let type: GraphQLInputType | undefined = bodyVariable === undefined ? undefined : types.get(bodyVariable);
  return renderPath(
    segments.map((segment) => {
      if (isNonNullType(type)) type = type.ofType;
      if (typeof segment === 'number') {
        type = isListType(type) ? type.ofType : undefined;
        return segment;
      }
      const field = isInputObjectType(type) ? type.getFields()[segment] : undefined;
      type = field?.type;
      // Inside a custom scalar the names are the client's own.
      return field === undefined && bodyVariable !== undefined ? segment : toSnakeCase(segment);
    }),
  );
}

/** `reasoning.effort` as the client called it, also for paths below. */
export function renamed(path: string, clientPaths: Readonly<Record<string, string>> | undefined): string {
  if (clientPaths === undefined) return path;
  for (const [ours, theirs] of Object.entries(clientPaths)) {
    if (path === ours) return theirs;
    if (path.startsWith(`${ours}.`) || path.startsWith(`${ours}[`)) return theirs + path.slice(ours.length);
  }
  return path;
}
