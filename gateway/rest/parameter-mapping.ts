import { isListType, isNonNullType, type GraphQLInputType } from 'graphql';
import { compileInput, type InputReaders, type ReadInput } from './input-mapping.ts';

/**
 * Compiles the reader of a query, path or header parameter: text that stands for a value of a scalar or enum type.
 */
export function compileParameter(type: GraphQLInputType, readers: InputReaders): ReadInput {
  const read = compileInput(type, readers);
  const inner = isNonNullType(type) ? type.ofType : type;
  const parse = isListType(inner) ? asText : (parsers[inner.name] ?? asText);
  return (value, reading) => {
    if (Array.isArray(value)) return reading.refuse('must be given once');
    // `?agent_id=` of a script whose variable was empty must not become a question about every agent.
    if (value === '') return reading.refuse('must not be empty; leave it out instead');
    return read(typeof value === 'string' ? parse(value) : value, reading);
  };
}

/** What does not look like the type stays text, so that the type's own reader refuses it in its own words. */
const parsers: Readonly<Record<string, (text: string) => unknown>> = {
  Int: (text) => (/^-?\d{1,15}$/.test(text) ? Number(text) : text),
  Float: (text) => (/^-?\d{1,30}(\.\d{1,30})?(e[+-]?\d{1,3})?$/i.test(text) ? Number(text) : text),
  Boolean: (text) => (text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : text),
};

const asText = (text: string): unknown => text;
