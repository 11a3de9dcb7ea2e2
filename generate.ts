/**
 * `npm run generate` writes what is derived from the contracts in schema/: the composed supergraph and each
 * subgraph's resolver types. `npm run generate -- --check` writes nothing and exits 1 when a file is stale.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { composeServices } from '@apollo/composition';
import { codegen } from '@graphql-codegen/core';
import * as typescriptPlugin from '@graphql-codegen/typescript';
import * as typescriptResolversPlugin from '@graphql-codegen/typescript-resolvers';
import { type DocumentNode, Kind, parse, type TypeNode } from 'graphql';

const root = import.meta.dirname;

export interface GeneratedFile {
  /** Relative to the repository's root. */
  readonly path: string;
  readonly content: string;
}

/**
 * Types whose parent objects carry more than the schema shows, by subgraph: `Type: './file.ts#ExportedType'`.
 * The rest is derived, see `resolverMappers`.
 */
const ownMappers: Readonly<Record<string, Readonly<Record<string, string>>>> = {};

interface SubgraphContract {
  readonly name: string;
  readonly sdl: string;
}

/** Every schema/*.graphql but the composed one is a subgraph's hand-written contract. */
function readContracts(): SubgraphContract[] {
  return readdirSync(join(root, 'schema'))
    .filter((file) => file.endsWith('.graphql') && file !== 'supergraph.graphql')
    .toSorted()
    .map((file) => ({
      name: file.replace(/\.graphql$/, ''),
      sdl: readFileSync(join(root, 'schema', file), 'utf8'),
    }));
}

/**
 * Composes subgraph contracts into one supergraph. The routing URLs in it are placeholders: where a subgraph is
 * reached is configuration (`LLM_URL`, …), not schema.
 *
 * @throws Error with every composition problem at once
 */
export function composeSupergraph(contracts: readonly SubgraphContract[]): string {
  const composed = composeServices(
    contracts.map(({ name, sdl }) => ({ name, typeDefs: parse(sdl), url: `http://${name}/graphql` })),
  );
  if (composed.errors !== undefined) {
    throw new Error(
      `The subgraphs do not compose:\n${composed.errors.map((error) => `- ${error.message}`).join('\n')}`,
    );
  }
  return `# Composed from the other files here by \`npm run generate\`. Generated, never edited.\n\n${composed.supergraphSdl}`;
}

/**
 * What a parent object holds before its own resolvers run: everything but the fields that load data of their own,
 * which are those with `@access` (DESIGN: access is declared on every such field). So an entity's resolver gets and
 * gives its key alone, without a hand-written mapper.
 */
function resolverMappers(schema: DocumentNode): Record<string, string> {
  const objects = schema.definitions.filter((node) => node.kind === Kind.OBJECT_TYPE_DEFINITION);
  const objectNames = new Set(objects.map((object) => object.name.value));
  const mappers: Record<string, string> = {};
  for (const object of objects) {
    if (['Query', 'Mutation', 'Subscription'].includes(object.name.value)) continue;
    const fields = object.fields ?? [];
    const loaded = fields.filter((field) => field.directives?.some(({ name }) => name.value === 'access'));
    if (loaded.length === 0) continue;
    const nested = fields.filter((field) => !loaded.includes(field) && objectNames.has(namedType(field.type)));
    const left = [...loaded, ...nested].map((field) => `'${field.name.value}'`).join(' | ');
    const kept = nested.map((field) => {
      const optional = field.type.kind === Kind.NON_NULL_TYPE ? '' : '?';
      return `readonly ${field.name.value}${optional}: ${parentType(field.type)}`;
    });
    // Spelled as codegen spells the type: MicroDAO becomes MicroDao.
    const name = object.name.value.replace(/(?<=[A-Z])[A-Z]+(?=[A-Z][a-z]|$)/g, (capitals) => capitals.toLowerCase());
    mappers[object.name.value] = `Omit<${name}, ${left}>${kept.length > 0 ? ` & { ${kept.join('; ')} }` : ''}`;
  }
  return mappers;
}

function namedType(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : namedType(type.type);
}

function parentType(type: TypeNode): string {
  if (type.kind !== Kind.NON_NULL_TYPE) return `Maybe<${parentType({ kind: Kind.NON_NULL_TYPE, type })}>`;
  if (type.type.kind === Kind.LIST_TYPE) return `ReadonlyArray<${parentType(type.type.type)}>`;
  return `ResolversParentTypes['${type.type.name.value}']`;
}

async function generateResolverTypes({ name, sdl }: SubgraphContract): Promise<string> {
  const schema = parse(sdl);
  const code = await codegen({
    filename: `subgraphs/${name}/resolver-types.ts`,
    documents: [],
    schema,
    plugins: [{ typescript: {} }, { 'typescript-resolvers': {} }],
    pluginMap: { typescript: typescriptPlugin, 'typescript-resolvers': typescriptResolversPlugin },
    config: {
      federation: true,
      importExtension: '.ts',
      useTypeImports: true,
      enumsAsTypes: true,
      skipTypename: true,
      immutableTypes: true,
      defaultScalarType: 'unknown',
      contextType: '\\#platform/subgraph-server.ts#ResolverContext',
      // As our stores give them: with exactOptionalPropertyTypes, `undefined` must be allowed by name.
      maybeValue: 'T | null | undefined',
      mappers: { ...resolverMappers(schema), ...ownMappers[name] },
      scalars: {
        ID: 'string',
        JSON: 'unknown',
        DateTime: { input: 'string', output: 'Date | string' },
        Vector: { input: 'number[]', output: 'number[] | Float32Array' },
        MessageContent: 'unknown',
        ToolChoice: 'unknown',
      },
    },
  });
  return `// Made from schema/${name}.graphql by \`npm run generate\`. Generated, never edited.\n${code}`;
}

/** Everything `npm run generate` keeps, computed afresh and not yet written. */
export async function generateAll(): Promise<GeneratedFile[]> {
  const contracts = readContracts();
  const files: GeneratedFile[] = [{ path: 'schema/supergraph.graphql', content: composeSupergraph(contracts) }];
  for (const contract of contracts) {
    files.push({
      path: `subgraphs/${contract.name}/resolver-types.ts`,
      content: await generateResolverTypes(contract),
    });
  }
  return files;
}

/** The paths whose content on disk differs from what the contracts give. */
export function staleFiles(files: readonly GeneratedFile[]): string[] {
  return files
    .filter(({ path, content }) => !existsSync(join(root, path)) || readFileSync(join(root, path), 'utf8') !== content)
    .map(({ path }) => path);
}

if (import.meta.main) {
  const files = await generateAll();
  const stale = new Set(staleFiles(files));
  if (process.argv.includes('--check')) {
    for (const path of stale) console.error(`${path} is stale: run npm run generate and commit it.`);
    process.exitCode = stale.size > 0 ? 1 : 0;
  } else {
    for (const file of files) if (stale.has(file.path)) writeFileSync(join(root, file.path), file.content);
    console.log(stale.size > 0 ? `Written: ${[...stale].join(', ')}` : 'Everything is fresh.');
  }
}
