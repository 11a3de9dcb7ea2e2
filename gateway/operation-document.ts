import {
  GraphQLError,
  Kind,
  visit,
  type DocumentNode,
  type FragmentDefinitionNode,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import { AppError, invalidInput } from '#platform/errors.ts';
import type { SubgraphRequest } from '#platform/subgraph-transport.ts';
import type { OperationRequest, PassThrough } from './prepared-operation.ts';

/** The text holds no operation, several without one being named, or none of that name. */
export class UnknownOperationError extends GraphQLError {}

/** @throws UnknownOperationError */
export function chooseOperation(document: DocumentNode, operationName: string | undefined): OperationDefinitionNode {
  const operations = document.definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  if (operationName !== undefined) {
    const named = operations.find(({ name }) => name?.value === operationName);
    if (named === undefined) throw new UnknownOperationError(`The document has no operation named "${operationName}".`);
    return named;
  }
  const [only, another] = operations;
  if (only === undefined) throw new UnknownOperationError('The document has no operation.');
  if (another !== undefined)
    throw new UnknownOperationError('The document has several operations: name one in `operationName`.');
  return only;
}

/**
 * The operation and the fragments it uses. The planner and the executor read every fragment of a document, and one of
 * another operation would bring them variables that this one does not have.
 */
export function onlyOperation(document: DocumentNode, operation: OperationDefinitionNode): DocumentNode {
  const fragments = fragmentsOf(document);
  const used = new Map<string, FragmentDefinitionNode>();
  const collect = (selectionSet: SelectionSetNode): void => {
    for (const selection of selectionSet.selections) {
      if (selection.kind !== Kind.FRAGMENT_SPREAD) {
        if (selection.selectionSet !== undefined) collect(selection.selectionSet);
        continue;
      }
      const fragment = fragments.get(selection.name.value);
      if (fragment === undefined || used.has(fragment.name.value)) continue;
      used.set(fragment.name.value, fragment);
      collect(fragment.selectionSet);
    }
  };
  collect(operation.selectionSet);
  return { kind: Kind.DOCUMENT, definitions: [operation, ...used.values()] };
}

/**
 * The GraphQL specification forbids `@skip` and `@include` at the root of a subscription since 2025; graphql 16 does
 * not check it, but throws where it meets a variable there, and so does the planner.
 *
 * @throws GraphQLError
 */
export function refuseConditionsAtSubscriptionRoots(document: DocumentNode): void {
  const fragments = fragmentsOf(document);
  const check = (selectionSet: SelectionSetNode, seen: Set<string>): void => {
    for (const selection of selectionSet.selections) {
      const condition = selection.directives?.find(({ name }) => name.value === 'skip' || name.value === 'include');
      if (condition !== undefined) {
        throw new GraphQLError(
          `The root field of a subscription cannot be conditional: remove @${condition.name.value}.`,
          { nodes: condition },
        );
      }
      if (selection.kind === Kind.INLINE_FRAGMENT) check(selection.selectionSet, seen);
      if (selection.kind !== Kind.FRAGMENT_SPREAD || seen.has(selection.name.value)) continue;
      const fragment = fragments.get(selection.name.value);
      if (fragment !== undefined) check(fragment.selectionSet, seen.add(fragment.name.value));
    }
  };
  for (const definition of document.definitions) {
    if (definition.kind === Kind.OPERATION_DEFINITION && definition.operation === 'subscription')
      check(definition.selectionSet, new Set());
  }
}

export function introspects(document: DocumentNode): boolean {
  let found = false;
  visit(document, {
    Field({ name }) {
      if (name.value === '__schema' || name.value === '__type') found = true;
    },
  });
  return found;
}

/** The variables that an operation declares, out of those a client sent: a subgraph should not see the others. */
export function pickDeclared(
  variables: Readonly<Record<string, unknown>> | undefined,
  { variableDefinitions }: OperationDefinitionNode,
): Record<string, unknown> {
  const picked: Record<string, unknown> = {};
  for (const definition of variableDefinitions ?? []) {
    const name = definition.variable.name.value;
    if (variables !== undefined && Object.hasOwn(variables, name) && variables[name] !== undefined)
      picked[name] = variables[name];
  }
  return picked;
}

export function toSubgraphRequest(
  fetch: PassThrough,
  variables: Readonly<Record<string, unknown>>,
  request: OperationRequest,
): SubgraphRequest {
  const { caller, requestId, traceparent } = request;
  return { query: fetch.query, operationName: fetch.operationName, variables, caller, requestId, traceparent };
}

/** graphql-js tells the place inside a variable in its message only. */
const placeInVariable = /^Variable "\$([^"]+)" (?:got invalid value .*? at "([^"]+)"; |got invalid value .*?; )?(.*)$/s;

export function badVariable(message: string): AppError {
  const [, variable = '', place = variable, reason = message] = placeInVariable.exec(message) ?? [];
  const { details } = invalidInput([{ path: place, reason }]);
  return new AppError('INVALID_INPUT', message, details === undefined ? {} : { details });
}

function fragmentsOf(document: DocumentNode): Map<string, FragmentDefinitionNode> {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  return fragments;
}
