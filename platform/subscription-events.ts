import { GraphQLObjectType, GraphQLSchema, Kind, visit, type DocumentNode } from 'graphql';

/**
 * The schema that a subscription's events are executed against: the same types, but root fields of the subscription
 * take no arguments. Their arguments matter when the source is opened, not for its events, and reading them again for
 * each of a stream's tokens cost a fifth of it.
 */
export function eventSchemaOf(schema: GraphQLSchema): GraphQLSchema {
  const subscription = schema.getSubscriptionType();
  if (!subscription) return schema;
  const config = subscription.toConfig();
  const fields = Object.fromEntries(
    Object.entries(config.fields).map(([name, field]) => [name, { ...field, args: {} }]),
  );
  const whole = schema.toConfig();
  return new GraphQLSchema({
    ...whole,
    types: whole.types.filter((type) => type !== subscription),
    subscription: new GraphQLObjectType({ ...config, fields }),
    assumeValid: true,
  });
}

/**
 * The document for `eventSchemaOf`: the operation without its variables and its root field's arguments. Undefined where
 * something deeper uses a variable, the root field stands in a fragment, or there are several operations: then events
 * need the document as it is.
 */
export function eventDocumentOf(document: DocumentNode): DocumentNode | undefined {
  const [operation, ...others] = document.definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION);
  if (operation === undefined || others.length > 0) return undefined;
  const [root] = operation.selectionSet.selections;
  if (root?.kind !== Kind.FIELD || operation.selectionSet.selections.length > 1) return undefined;
  const fragments = document.definitions.filter((node) => node.kind === Kind.FRAGMENT_DEFINITION);
  const events: DocumentNode = {
    kind: Kind.DOCUMENT,
    definitions: [
      {
        ...operation,
        variableDefinitions: [],
        selectionSet: { ...operation.selectionSet, selections: [{ ...root, arguments: [] }] },
      },
      ...fragments,
    ],
  };
  return usesVariables(events) ? undefined : events;
}

function usesVariables(document: DocumentNode): boolean {
  let found = false;
  visit(document, {
    Variable() {
      found = true;
    },
  });
  return found;
}
