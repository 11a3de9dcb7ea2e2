import { GraphQLError, GraphQLScalarType, valueFromASTUntyped } from 'graphql';

const anyValue = (name: string): GraphQLScalarType =>
  new GraphQLScalarType({
    name,
    parseValue: (value) => value,
    parseLiteral: (node, variables) => valueFromASTUntyped(node, variables),
  });

/** Any JSON value; what it must look like is checked where it is used, with a path to the problem. */
export const jsonScalar = anyValue('JSON');
export const messageContentScalar = anyValue('MessageContent');
export const toolChoiceScalar = anyValue('ToolChoice');

export const dateTimeScalar = new GraphQLScalarType({
  name: 'DateTime',
  serialize(value) {
    if (value instanceof Date) return value.toISOString();
    if (typeof value === 'string') return value;
    throw new GraphQLError('DateTime cannot represent a value that is neither a Date nor text');
  },
});

export const vectorScalar = new GraphQLScalarType({
  name: 'Vector',
  serialize: (value) => (value instanceof Float32Array ? Array.from(value) : value),
});
