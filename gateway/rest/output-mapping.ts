import type { ObjectShape, OutputShape } from './output-shape.ts';

/** Turns a value of GraphQL's result into REST's spelling. */
export type MapOutput = (value: unknown) => unknown;

/**
 * Compiles the mapper of an output shape: names to snake_case, enums to lower_snake, the inside of custom scalars left
 * as it is.
 *
 * @param leftOutWhenNull REST paths (`message.tool_calls`, lists being transparent) of fields that are absent rather
 * than null
 * @throws Error when one of those paths names no field
 */
export function compileOutput(shape: OutputShape, leftOutWhenNull: readonly string[] = []): MapOutput {
  const unused = new Set(leftOutWhenNull);
  const map = compile(shape, '', new Set(leftOutWhenNull), unused) ?? ((value: unknown) => value);
  if (unused.size > 0) throw new Error(`No field of the result is named ${[...unused].join(', ')}.`);
  return map;
}

/** Undefined where the value stays as it is, so that long lists of scalars are not copied. */
function compile(
  shape: OutputShape,
  path: string,
  optional: ReadonlySet<string>,
  unused: Set<string>,
): MapOutput | undefined {
  switch (shape.kind) {
    case 'scalar':
      return undefined;
    case 'enum': {
      const restNames = new Map(shape.values.map((name) => [name, name.toLowerCase()]));
      return (value) => (value === null ? null : (restNames.get(value as string) ?? value));
    }
    case 'list': {
      const mapItem = compile(shape.item, path, optional, unused);
      if (mapItem === undefined) return undefined;
      return (value) => (value === null ? null : (value as unknown[]).map(mapItem));
    }
    case 'object':
      return compileObject(shape, path, optional, unused);
  }
}

function compileObject(
  shape: ObjectShape,
  path: string,
  optional: ReadonlySet<string>,
  unused: Set<string>,
): MapOutput {
  const fields = shape.fields.map(({ responseName, restName, shape: fieldShape }) => {
    const fieldPath = path === '' ? restName : `${path}.${restName}`;
    unused.delete(fieldPath);
    return {
      responseName,
      restName,
      map: compile(fieldShape, fieldPath, optional, unused),
      optional: optional.has(fieldPath),
    };
  });
  return (value) => {
    if (value === null) return null;
    const source = value as Record<string, unknown>;
    const result: Record<string, unknown> = {};
    for (const { responseName, restName, map, optional: leftOut } of fields) {
      const fieldValue = source[responseName];
      // Absent: @skip, or a field of another type of the union.
      if (fieldValue === undefined || (leftOut && fieldValue === null)) continue;
      result[restName] = map === undefined ? fieldValue : map(fieldValue);
    }
    return result;
  };
}
