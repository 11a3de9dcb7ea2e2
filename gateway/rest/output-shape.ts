import {
  getNamedType,
  isAbstractType,
  isEnumType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLOutputType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import { toSnakeCase, toSnakeCaseNames } from './case-mapping.ts';

/** What an operation's result looks like; both the mapper and the OpenAPI schema are made of it. */
export type OutputShape =
  | { readonly kind: 'list'; readonly item: OutputShape; readonly nullable: boolean }
  | { readonly kind: 'enum'; readonly values: readonly string[]; readonly nullable: boolean }
  | {
      readonly kind: 'scalar';
      readonly name: string;
      readonly description: string | undefined;
      readonly nullable: boolean;
    }
  | ObjectShape;

export interface ObjectShape {
  readonly kind: 'object';
  readonly typeName: string;
  readonly fields: readonly OutputField[];
  /** Of an interface or union: the fields each of its types may have. Empty for an object type. */
  readonly variants: readonly { readonly typeName: string; readonly fields: readonly OutputField[] }[];
  readonly nullable: boolean;
}

export interface OutputField {
  /** The key in GraphQL's result: the alias where there is one. */
  readonly responseName: string;
  readonly restName: string;
  readonly description: string | undefined;
  readonly shape: OutputShape;
}

/**
 * The shape of the one root field of an operation.
 *
 * @throws Error when the operation has not exactly one root field, or two fields become the same in REST
 */
export function rootShape(schema: GraphQLSchema, document: DocumentNode): { responseName: string; shape: OutputShape } {
  const fragments = new Map<string, FragmentDefinitionNode>();
  let operation: OperationDefinitionNode | undefined;
  for (const definition of document.definitions) {
    if (definition.kind === Kind.OPERATION_DEFINITION) operation = definition;
    else if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const rootType = operation && schema.getRootType(operation.operation);
  if (operation === undefined || rootType === undefined || rootType === null)
    throw new Error('The schema has no such kind of operation.');
  const [root, ...others] = new ShapeReader(schema, fragments).fields(rootType, [operation.selectionSet], undefined);
  if (root === undefined || others.length > 0)
    throw new Error('An operation of the REST table has exactly one root field.');
  return root;
}

class ShapeReader {
  readonly #schema: GraphQLSchema;
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;

  constructor(schema: GraphQLSchema, fragments: ReadonlyMap<string, FragmentDefinitionNode>) {
    this.#schema = schema;
    this.#fragments = fragments;
  }

  /**
   * The fields of several selection sets on one type, fragments spread. Fields of the same response name on different
   * types have the same shape, by GraphQL's rule of field merging, so they become one.
   *
   * @param only of an abstract type: the concrete type whose fields are meant; all types' when undefined
   */
  fields(
    type: GraphQLNamedType,
    selections: readonly SelectionSetNode[],
    only: GraphQLNamedType | undefined,
  ): OutputField[] {
    const collected = new Map<string, { field: GraphQLField<unknown, unknown>; selections: SelectionSetNode[] }>();
    for (const selectionSet of selections) this.#collect(type, selectionSet, only, collected);
    toSnakeCaseNames(collected.keys(), type.name);
    return [...collected].map(([responseName, { field, selections: inner }]) => ({
      responseName,
      restName: toSnakeCase(responseName),
      description: field.description ?? undefined,
      shape: this.#shape(field.type, inner),
    }));
  }

  #collect(
    type: GraphQLNamedType,
    selectionSet: SelectionSetNode,
    only: GraphQLNamedType | undefined,
    collected: Map<string, { field: GraphQLField<unknown, unknown>; selections: SelectionSetNode[] }>,
  ): void {
    for (const selection of selectionSet.selections) {
      if (selection.kind === Kind.FIELD) {
        if (selection.name.value === '__typename') continue;
        const field =
          'getFields' in type
            ? (type.getFields()[selection.name.value] as GraphQLField<unknown, unknown> | undefined)
            : undefined;
        if (field === undefined) throw new Error(`${type.name} has no field ${selection.name.value}.`);
        const responseName = selection.alias?.value ?? selection.name.value;
        const entry = collected.get(responseName) ?? { field, selections: [] };
        if (selection.selectionSet !== undefined) entry.selections.push(selection.selectionSet);
        collected.set(responseName, entry);
        continue;
      }
      const spread = selection.kind === Kind.INLINE_FRAGMENT ? selection : this.#fragments.get(selection.name.value);
      if (spread === undefined) throw new Error('A fragment is missing.');
      const onType = spread.typeCondition === undefined ? type : this.#schema.getType(spread.typeCondition.name.value);
      if (onType === undefined) throw new Error(`There is no type ${spread.typeCondition?.name.value}.`);
      if (only !== undefined && !this.#includes(onType, only)) continue;
      this.#collect(onType, spread.selectionSet, only, collected);
    }
  }

  #includes(type: GraphQLNamedType, concrete: GraphQLNamedType): boolean {
    return (
      type === concrete || (isAbstractType(type) && isObjectType(concrete) && this.#schema.isSubType(type, concrete))
    );
  }

  #shape(type: GraphQLOutputType, selections: readonly SelectionSetNode[]): OutputShape {
    const nullable = !isNonNullType(type);
    const inner = isNonNullType(type) ? type.ofType : type;
    if (isListType(inner)) return { kind: 'list', item: this.#shape(inner.ofType, selections), nullable };
    if (isEnumType(inner)) return { kind: 'enum', values: inner.getValues().map(({ name }) => name), nullable };
    const named = getNamedType(inner);
    if (selections.length === 0)
      return { kind: 'scalar', name: named.name, description: named.description ?? undefined, nullable };
    const variants = isAbstractType(named)
      ? this.#schema
          .getPossibleTypes(named)
          .map((variant) => ({ typeName: variant.name, fields: this.fields(named, selections, variant) }))
      : [];
    return {
      kind: 'object',
      typeName: named.name,
      fields: this.fields(named, selections, undefined),
      variants,
      nullable,
    };
  }
}
