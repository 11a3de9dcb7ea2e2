import {
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredInputField,
  type GraphQLEnumType,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLScalarType,
} from 'graphql';
import { toSnakeCaseNames } from './case-mapping.ts';
import type { InputReading } from './input-path.ts';
import { checkJson, textProblem } from './input-text.ts';
import { didYouMean } from './near-names.ts';

/**
 * Turns a value in REST's spelling into one in GraphQL's, noting in `reading` whatever does not fit. The result
 * counts only when nothing was noted.
 */
export type ReadInput = (value: unknown, reading: InputReading) => unknown;

/** Readers by type, so that recursive input types end and shared ones are compiled once. */
export type InputReaders = Map<GraphQLInputType, ReadInput>;

/**
 * Compiles the reader of a GraphQL input type: snake_case names and lower_snake enums in, GraphQL's out; required
 * fields, Int ranges, lists, enums and texts checked; the inside of custom scalars left as it is.
 *
 * @throws Error when two fields of a type have the same name in REST
 */
export function compileInput(type: GraphQLInputType, readers: InputReaders = new Map()): ReadInput {
  const known = readers.get(type);
  if (known !== undefined) return known;
  // The placeholder is what a type that contains itself refers to.
  let compiled: ReadInput | undefined;
  readers.set(type, (value, reading) => (compiled as ReadInput)(value, reading));
  compiled = compile(type, readers);
  readers.set(type, compiled);
  return compiled;
}

function compile(type: GraphQLInputType, readers: InputReaders): ReadInput {
  if (isNonNullType(type)) {
    const read = compileInput(type.ofType, readers);
    return (value, reading) =>
      value === null || value === undefined ? reading.refuse('is required and must not be null') : read(value, reading);
  }
  if (isListType(type)) return nullable(compileList(type.ofType, readers));
  if (isInputObjectType(type)) return nullable(compileObject(type, readers));
  if (isEnumType(type)) return nullable(compileEnum(type));
  return nullable(compileScalar(type));
}

const nullable =
  (read: ReadInput): ReadInput =>
  (value, reading) =>
    value === null || value === undefined ? null : read(value, reading);

function compileList(itemType: GraphQLInputType, readers: InputReaders): ReadInput {
  const readItem = compileInput(itemType, readers);
  const innerType = isNonNullType(itemType) ? itemType.ofType : itemType;
  // GraphQL reads one value as a list of it. For `stop: "END"` that is welcome; an object in place of a list is a mistake.
  const takesSingle = !isInputObjectType(innerType) && !isListType(innerType);
  return (value, reading) => {
    if (!Array.isArray(value)) {
      if (takesSingle && typeof value !== 'object') return [readItem(value, reading)];
      return reading.refuse(`must be a list, not ${typeWord(value)}`);
    }
    const items: unknown[] = [];
    // Of a long list of mistakes the first ones are enough.
    for (let index = 0; index < value.length && !reading.full; index += 1) {
      reading.enter(index);
      items.push(readItem(value[index], reading));
      reading.leave();
    }
    return items;
  };
}

function compileObject(type: GraphQLInputObjectType, readers: InputReaders): ReadInput {
  const fields = type.getFields();
  const byRestName = new Map(
    [...toSnakeCaseNames(Object.keys(fields), type.name)].map(([restName, name]) => {
      const field = fields[name] as (typeof fields)[string];
      return [restName, { name, read: compileInput(field.type, readers), required: isRequiredInputField(field) }];
    }),
  );
  const required = [...byRestName].filter(([, field]) => field.required).map(([restName]) => restName);
  return (value, reading) => {
    if (!isJsonObject(value)) return reading.refuse(`must be an object, not ${typeWord(value)}`);
    const result: Record<string, unknown> = {};
    for (const restName of Object.keys(value)) {
      const field = byRestName.get(restName);
      reading.enter(restName);
      if (field !== undefined) result[field.name] = field.read(value[restName], reading);
      else if (!reading.full) reading.refuse(`is not a known field${didYouMean(restName, byRestName.keys())}`);
      reading.leave();
    }
    for (const restName of required) {
      if (Object.hasOwn(value, restName)) continue;
      reading.enter(restName);
      reading.refuse('is required');
      reading.leave();
    }
    return result;
  };
}

function compileEnum(type: GraphQLEnumType): ReadInput {
  const byRestName = new Map(type.getValues().map(({ name }) => [name.toLowerCase(), name]));
  const choices = [...byRestName.keys()].map((name) => `"${name}"`).join(', ');
  return (value, reading) => {
    if (typeof value !== 'string') return reading.refuse(`must be one of ${choices}, not ${typeWord(value)}`);
    const name = byRestName.get(value) ?? byRestName.get(value.toLowerCase());
    return name ?? reading.refuse(`must be one of ${choices}`);
  };
}

function compileScalar(type: GraphQLScalarType): ReadInput {
  switch (type.name) {
    case 'String':
    case 'ID':
      return readText;
    case 'Int':
      return readInt;
    case 'Float':
      return readFloat;
    case 'Boolean':
      return readBoolean;
    default:
      return readJson;
  }
}

const readText: ReadInput = (value, reading) => {
  if (typeof value !== 'string') return reading.refuse(`must be a string, not ${typeWord(value)}`);
  const problem = textProblem(value);
  return problem === undefined ? value : reading.refuse(problem);
};

const readInt: ReadInput = (value, reading) => {
  if (typeof value !== 'number') return reading.refuse(`must be a whole number, not ${typeWord(value)}`);
  if (!Number.isInteger(value)) return reading.refuse(`must be a whole number, not ${value}`);
  if (value > 2_147_483_647 || value < -2_147_483_648)
    return reading.refuse('must lie between -2147483648 and 2147483647');
  return value;
};

const readFloat: ReadInput = (value, reading) => {
  if (typeof value !== 'number') return reading.refuse(`must be a number, not ${typeWord(value)}`);
  // JSON.parse reads 1e999 as Infinity.
  return Number.isFinite(value) ? value : reading.refuse('is too large a number');
};

const readBoolean: ReadInput = (value, reading) =>
  typeof value === 'boolean' ? value : reading.refuse(`must be true or false, not ${typeWord(value)}`);

const readJson: ReadInput = (value, reading) => {
  checkJson(value, reading);
  return value;
};

export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON's word for the type of a value, for messages. */
export function typeWord(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'a list';
  switch (typeof value) {
    case 'object':
      return 'an object';
    case 'string':
      return 'a string';
    case 'number':
      return 'a number';
    default:
      return 'a boolean';
  }
}
