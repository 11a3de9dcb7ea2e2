/**
 * GraphQL's camelCase and REST's snake_case for one name. Which names are mapped follows the GraphQL types
 * (`input-mapping.ts`, `output-mapping.ts`): what lies inside a custom scalar is the client's own and never touched.
 */
export function toSnakeCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .toLowerCase();
}

/**
 * REST's names of several GraphQL names.
 *
 * @param where named in the error, such as `CompleteInput`
 * @throws Error when two of them become the same name: the mapping could not be turned around
 */
export function toSnakeCaseNames(names: Iterable<string>, where: string): Map<string, string> {
  const byRestName = new Map<string, string>();
  for (const name of names) {
    const restName = toSnakeCase(name);
    const other = byRestName.get(restName);
    if (other !== undefined) throw new Error(`${where}: ${other} and ${name} are both ${restName} in REST.`);
    byRestName.set(restName, name);
  }
  return byRestName;
}
