import {
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredInputField,
  type GraphQLInputObjectType,
  type GraphQLInputType,
} from 'graphql';
import { toSnakeCase } from './case-mapping.ts';
import type { ObjectShape, OutputField, OutputShape } from './output-shape.ts';
import type { JsonSchema } from './route.ts';

const scalarSchemas: Readonly<Record<string, JsonSchema>> = {
  String: { type: 'string' },
  ID: { type: 'string' },
  Int: { type: 'integer', format: 'int32' },
  Float: { type: 'number' },
  Boolean: { type: 'boolean' },
  DateTime: { type: 'string', format: 'date-time' },
  Vector: { type: 'array', items: { type: 'number' } },
};

function scalarSchema(name: string, description: string | undefined): JsonSchema {
  // A scalar of the project's own may be any JSON; its description tells which.
  return scalarSchemas[name] ?? (description === undefined ? {} : { description });
}

/** JSON Schemas of GraphQL input types in REST's spelling; input objects become shared components. */
export class InputSchemas {
  /** By GraphQL's type names. */
  readonly components: Record<string, JsonSchema> = {};

  schemaOf(type: GraphQLInputType): JsonSchema {
    if (isNonNullType(type)) return this.schemaOf(type.ofType);
    if (isListType(type)) return { type: 'array', items: this.schemaOf(type.ofType) };
    if (isEnumType(type)) return { type: 'string', enum: type.getValues().map(({ name }) => name.toLowerCase()) };
    if (!isInputObjectType(type)) return scalarSchema(type.name, type.description ?? undefined);
    if (!Object.hasOwn(this.components, type.name)) {
      this.components[type.name] = {};
      this.components[type.name] = this.#objectSchema(type);
    }
    return { $ref: `#/components/schemas/${type.name}` };
  }

  #objectSchema(type: GraphQLInputObjectType): JsonSchema {
    const fields = Object.values(type.getFields());
    const required = fields.filter(isRequiredInputField).map(({ name }) => toSnakeCase(name));
    return {
      type: 'object',
      ...(type.description ? { description: type.description } : {}),
      properties: Object.fromEntries(
        fields.map((field) => [
          toSnakeCase(field.name),
          {
            ...this.schemaOf(field.type),
            ...(field.description ? { description: field.description } : {}),
            ...(field.defaultValue === undefined ? {} : { default: restDefault(field.type, field.defaultValue) }),
          },
        ]),
      ),
      ...(required.length > 0 ? { required } : {}),
      additionalProperties: false,
    };
  }
}

/** A default as REST spells it. */
export function restDefault(type: GraphQLInputType, value: unknown): unknown {
  const inner = isNonNullType(type) ? type.ofType : type;
  return isEnumType(inner) && typeof value === 'string' ? value.toLowerCase() : value;
}

/**
 * The JSON Schema of what `compileOutput` makes of the same shape.
 *
 * @param leftOutWhenNull as there
 */
export function outputSchema(shape: OutputShape, leftOutWhenNull: readonly string[] = [], path = ''): JsonSchema {
  const schema = nonNullSchema(shape, leftOutWhenNull, path);
  if (!shape.nullable) return schema;
  if (typeof schema['type'] !== 'string' || 'enum' in schema) return { oneOf: [schema, { type: 'null' }] };
  return { ...schema, type: [schema['type'], 'null'] };
}

function nonNullSchema(shape: OutputShape, leftOutWhenNull: readonly string[], path: string): JsonSchema {
  switch (shape.kind) {
    case 'scalar':
      return scalarSchema(shape.name, shape.description);
    case 'enum':
      return { type: 'string', enum: shape.values.map((value) => value.toLowerCase()) };
    case 'list':
      return { type: 'array', items: outputSchema(shape.item, leftOutWhenNull, path) };
    case 'object':
      return objectSchema(shape, leftOutWhenNull, path);
  }
}

function objectSchema(shape: ObjectShape, leftOutWhenNull: readonly string[], path: string): JsonSchema {
  if (shape.variants.length > 0) {
    return {
      // Not oneOf: types may have the same fields.
      anyOf: shape.variants.map(({ typeName, fields }) => ({
        title: typeName,
        ...fieldsSchema(fields, leftOutWhenNull, path),
      })),
    };
  }
  return fieldsSchema(shape.fields, leftOutWhenNull, path);
}

function fieldsSchema(fields: readonly OutputField[], leftOutWhenNull: readonly string[], path: string): JsonSchema {
  const properties: Record<string, JsonSchema> = {};
  const required: string[] = [];
  for (const { restName, description, shape } of fields) {
    const fieldPath = path === '' ? restName : `${path}.${restName}`;
    const leftOut = leftOutWhenNull.includes(fieldPath);
    // Absent instead of null is not also null.
    const schema = outputSchema(leftOut ? { ...shape, nullable: false } : shape, leftOutWhenNull, fieldPath);
    properties[restName] = description === undefined ? schema : { ...schema, description };
    if (!leftOut) required.push(restName);
  }
  return { type: 'object', properties, required };
}
