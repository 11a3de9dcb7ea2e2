import { isInputType, parseType, typeFromAST, type GraphQLInputType, type GraphQLSchema } from 'graphql';
import type { BodyMapping } from './route.ts';

/**
 * The GraphQL types of a body's steering fields.
 *
 * @throws Error for a type the schema does not have
 */
export function steeringTypes(mapping: BodyMapping, schema: GraphQLSchema): Record<string, GraphQLInputType> {
  return Object.fromEntries(
    Object.entries(mapping.steering ?? {}).map(([name, source]) => {
      const type = typeFromAST(schema, parseType(source));
      if (type === undefined || !isInputType(type)) throw new Error(`${source} of ${name} is no input type.`);
      return [name, type];
    }),
  );
}
