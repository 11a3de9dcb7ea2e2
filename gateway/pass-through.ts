import type { Operation, Schema, Supergraph as FederationSupergraph } from '@apollo/federation-internals';
import type { QueryPlan } from '@apollo/query-planner';
import {
  isAbstractType,
  isCompositeType,
  isEnumType,
  getNamedType,
  Kind,
  parse,
  print,
  stripIgnoredCharacters,
  type DocumentNode,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import type { PassThrough } from './prepared-operation.ts';

/**
 * Decides whether one subgraph's answer to the client's own operation is already the client's answer, so that neither
 * a plan needs to be executed nor a result to be reshaped. It is when the plan is a single fetch that selects exactly
 * what the client selects (the `__typename`s that the planner adds for itself aside), and no value of the answer could
 * be one that the API hides.
 *
 * The subgraph then gets the operation as the slow path reads it, not as the planner words it: so both paths give the
 * same keys in the same order. `pass-through.test.ts` compares the two over generated operations.
 */
export function findPassThrough(
  plan: QueryPlan,
  operation: Operation,
  apiSchema: GraphQLSchema,
  hidingTypes: ReadonlySet<string>,
): PassThrough | undefined {
  const node =
    plan.node?.kind === 'Subscription' ? (plan.node.rest === undefined ? plan.node.primary : undefined) : plan.node;
  if (node?.kind !== 'Fetch' || node.requires !== undefined) return undefined;
  if (node.inputRewrites !== undefined || node.outputRewrites !== undefined || node.contextRewrites !== undefined)
    return undefined;

  const source = operation.toString();
  const asked = canonicalOperation(parse(source), apiSchema);
  const planned = canonicalOperation(parse(node.operation), apiSchema);
  if (asked === undefined || planned === undefined || asked.text !== planned.text) return undefined;
  for (const type of asked.types) if (hidingTypes.has(type)) return undefined;
  return { serviceName: node.serviceName, query: stripIgnoredCharacters(source), operationName: operation.name };
}

/**
 * Types whose values a subgraph may give that the API must not show: enums with hidden values, and interfaces and
 * unions with hidden types among their possible ones. The slow path takes such values out.
 */
export function typesThatHide(supergraph: FederationSupergraph, apiSchema: GraphQLSchema): Set<string> {
  const whole = supergraph.schema.toGraphQLJSSchema();
  const hiding = new Set<string>();
  for (const [name, type] of Object.entries(apiSchema.getTypeMap())) {
    const wholeType = whole.getType(name);
    if (isEnumType(type) && isEnumType(wholeType) && type.getValues().length !== wholeType.getValues().length)
      hiding.add(name);
    if (isAbstractType(type) && isAbstractType(wholeType)) {
      const same = whole.getPossibleTypes(wholeType).length === apiSchema.getPossibleTypes(type).length;
      if (!same || isInterfaceObjectSomewhere(supergraph.schema, name)) hiding.add(name);
    }
  }
  return hiding;
}

/** An interface that some subgraph knows as an object only: that subgraph's `__typename` is not a type of the API. */
function isInterfaceObjectSomewhere(schema: Schema, name: string): boolean {
  return (
    schema
      .type(name)
      ?.appliedDirectives.some(
        (directive) => directive.name === 'join__type' && directive.arguments()['isInterfaceObject'] === true,
      ) ?? false
  );
}

interface Canonical {
  readonly text: string;
  /** Names of all enums and composite types of the answer. */
  readonly types: ReadonlySet<string>;
}

/**
 * One text for all ways to write the same operation: fragments inlined where they hold for the whole parent type,
 * selections sorted, merged and without plain `__typename`. Undefined where the document has anything unexpected.
 */
function canonicalOperation(document: DocumentNode, schema: GraphQLSchema): Canonical | undefined {
  const operation = document.definitions.find(
    (definition): definition is OperationDefinitionNode => definition.kind === Kind.OPERATION_DEFINITION,
  );
  const root = operation === undefined ? undefined : schema.getRootType(operation.operation);
  if (operation === undefined || root === undefined || root === null) return undefined;
  const fragments = new Map<string, SelectionSetNode>();
  const conditions = new Map<string, string>();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.FRAGMENT_DEFINITION) continue;
    fragments.set(definition.name.value, definition.selectionSet);
    conditions.set(definition.name.value, definition.typeCondition.name.value);
  }
  const types = new Set<string>();

  const canonical = (selectionSets: readonly SelectionSetNode[], parent: string): string => {
    const merged = new Map<string, { inner: SelectionSetNode[]; parent: string }>();
    const add = (selection: SelectionNode): void => {
      if (selection.kind === Kind.FIELD) {
        if (selection.name.value === '__typename' && selection.alias === undefined && !selection.directives?.length)
          return;
        const key = `${selection.alias === undefined ? '' : `${selection.alias.value}:`}${selection.name.value}${argumentsText(selection)}`;
        const entry = merged.get(key) ?? { inner: [], parent: fieldTypeName(parent, selection.name.value) };
        if (selection.selectionSet !== undefined) entry.inner.push(selection.selectionSet);
        merged.set(key, entry);
        return;
      }
      const spread = selection.kind === Kind.FRAGMENT_SPREAD;
      const inner = spread ? fragments.get(selection.name.value) : selection.selectionSet;
      const condition = (spread ? conditions.get(selection.name.value) : selection.typeCondition?.name.value) ?? parent;
      if (inner === undefined) return;
      if (condition === parent && !selection.directives?.length) {
        inner.selections.forEach(add);
        return;
      }
      types.add(condition);
      const key = `...${condition}${(selection.directives ?? []).map((directive) => print(directive)).join('')}`;
      const entry = merged.get(key) ?? { inner: [], parent: condition };
      entry.inner.push(inner);
      merged.set(key, entry);
    };
    for (const { selections } of selectionSets) selections.forEach(add);
    const parts = [...merged].map(([key, entry]) =>
      entry.inner.length === 0 ? key : `${key}${canonical(entry.inner, entry.parent)}`,
    );
    return `{${parts.toSorted().join(' ')}}`;
  };

  const fieldTypeName = (parent: string, field: string): string => {
    const type = schema.getType(parent);
    const definition = type !== undefined && 'getFields' in type ? type.getFields()[field] : undefined;
    // `__schema`, `__type`: the gateway answers those itself, so they never pass through.
    const named =
      definition === undefined ? undefined : getNamedType('type' in definition ? definition.type : undefined);
    const name = named?.name ?? '';
    if (isCompositeType(named) || isEnumType(named)) types.add(name);
    return name;
  };

  const variables = (operation.variableDefinitions ?? []).map((definition) => print(definition)).toSorted();
  return {
    text: `${operation.operation}(${variables.join()})${canonical([operation.selectionSet], root.name)}`,
    types,
  };
}

function argumentsText(selection: SelectionNode & { readonly kind: Kind.FIELD }): string {
  const given = (selection.arguments ?? []).map((argument) => print(argument)).toSorted();
  const directives = (selection.directives ?? []).map((directive) => print(directive));
  return `(${given.join()})${directives.join('')}`;
}
