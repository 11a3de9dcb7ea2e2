import fc from 'fast-check';
import {
  buildSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  type GraphQLField,
  type GraphQLInputType,
} from 'graphql';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { roles, type Role } from '#platform/caller.ts';
import { System, type Layout } from '#test/system.ts';

type Kind = 'query' | 'mutation' | 'subscription';

/**
 * Every operation that a contract in schema/ declares × every role × another tenant's ids in every argument that is
 * an id: a stranger never gets data. New fields are in it by being in the schema.
 */
export function describeTenants(layout: Layout, contracts: readonly string[]): void {
  describe(`tenants (${layout})`, () => {
    let system: System;
    const operations: {
      name: string;
      kind: Kind;
      source: string;
      arguments: readonly string[];
      tenantless: boolean;
    }[] = [];

    beforeAll(async () => {
      system = await System.start({ layout });
      const own = await system.token({ microdaoId: 'microdao:victim' });
      await system.graphql(
        'mutation { complete(input: { agentId: "agent:victim", model: "openai/echo", messages: [{ role: USER, content: "the secret of the victim" }], idempotencyKey: "known" }) { id } }',
        { token: own },
      );
      for (const contract of contracts) operations.push(...(await readOperations(contract)));
    });
    afterAll(() => system?.close());

    it('find nothing of each other, whatever the operation, the role and the spelling', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...operations.filter(({ tenantless, kind }) => !tenantless && kind !== 'subscription')),
          fc.constantFrom<Role>(...roles),
          fc.constantFrom(
            'microdao:victim',
            'microdao:Victim',
            'microdao:victim2',
            'microdao:%76ictim',
            ' microdao:victim',
            'microdao:victim\u0000',
            "microdao:victim' or '1'='1",
          ),
          async (operation, role, microdaoId) => {
            const token = await system.token({
              role,
              microdaoId: 'microdao:attacker',
              ...(role === 'agent' ? { agentId: 'agent:victim' } : {}),
            });
            const { data, errors } = await system.graphql(operation.source, {
              token,
              variables: { microdaoId, agentId: 'agent:victim' },
            });
            expect(
              Object.values(data ?? {}).filter((value) => value !== null),
              `${operation.name} as ${role} for ${microdaoId}`,
            ).toEqual([]);
            expect(errors?.[0]?.extensions.code).toMatch(/^(NOT_FOUND|FORBIDDEN|INVALID_INPUT)$/);
            expect(JSON.stringify(errors)).not.toContain('secret of the victim');
          },
        ),
        { numRuns: 120 },
      );
    });

    it('are separate for streams too', async () => {
      for (const role of roles) {
        const token = await system.token({
          role,
          microdaoId: 'microdao:attacker',
          ...(role === 'agent' ? { agentId: 'agent:victim' } : {}),
        });
        const response = await system.fetch('/internal/llm/proxy', {
          token,
          body: {
            model: 'openai/echo',
            stream: true,
            messages: [{ role: 'user', content: 'x' }],
            microdao_id: 'microdao:victim',
          },
        });
        expect(response.status).toBe(404);
      }
    });

    it('do not share idempotency keys', async () => {
      const token = await system.token({ microdaoId: 'microdao:attacker' });
      const { data } = await system.graphql(
        'mutation { complete(input: { agentId: "agent:victim", model: "openai/echo", messages: [{ role: USER, content: "mine" }], idempotencyKey: "known" }) { message { content } } }',
        { token },
      );
      expect(data.complete.message.content).toBe('mine');
    });

    it('do not see each other through headers, joined entities or a service acting for both', async () => {
      const token = await system.token({ microdaoId: 'microdao:attacker' });
      const viaHeader = await system.fetch('/v1/chat/completions', {
        token,
        body: { model: 'openai/echo', messages: [{ role: 'user', content: 'x' }] },
        headers: { 'x-microdao-id': 'microdao:victim' },
      });
      expect(viaHeader.status).toBe(404);
      const onBehalf = await system.fetch('/graphql', {
        token,
        body: { query: '{ llmUsage { totals { requests } } }' },
        headers: { 'x-on-behalf-of': 'microdao:victim/agent:victim' },
      });
      expect(JSON.stringify(await onBehalf.json())).toContain('NOT_FOUND');
      const { data } = await system.graphql('{ llmRequests(first: 100) { nodes { microdao { id } } } }', { token });
      expect(data.llmRequests.nodes.every((node: any) => node.microdao.id === 'microdao:attacker')).toBe(true);
    });

    it('are refused whole without a token', async () => {
      for (const { source } of operations.filter(({ kind }) => kind !== 'subscription')) {
        const response = await system.fetch('/graphql', {
          body: { query: source, variables: { microdaoId: 'microdao:victim', agentId: 'agent:victim' } },
        });
        expect(response.status).toBe(401);
      }
    });
  });
}

async function readOperations(contract: string) {
  const sdl = (await readFile(new URL(`../../schema/${contract}`, import.meta.url), 'utf8')).replace(
    /extend schema @link[^\n]*/,
    '',
  );
  const schema = buildSchema(
    `${sdl}\ndirective @key(fields: String!) repeatable on OBJECT\ndirective @shareable on OBJECT | FIELD_DEFINITION\ndirective @inaccessible on ENUM`,
    { assumeValidSDL: true },
  );
  const kinds: readonly [Kind, ReturnType<typeof schema.getQueryType>][] = [
    ['query', schema.getQueryType()],
    ['mutation', schema.getMutationType()],
    ['subscription', schema.getSubscriptionType()],
  ];
  return kinds.flatMap(([kind, type]) =>
    Object.values(type?.getFields() ?? {}).map((field) => ({ name: field.name, kind, ...writeOperation(kind, field) })),
  );
}

/** The smallest operation that uses a field, with the tenant's and the agent's id in variables wherever they fit. */
function writeOperation(kind: Kind, field: GraphQLField<unknown, unknown>) {
  const written = JSON.stringify(field.args.map((argument) => writeInput(argument.name, argument.type)));
  const text = field.args
    .map((argument) => ({ name: argument.name, value: writeInput(argument.name, argument.type) }))
    .filter(({ value }) => value !== undefined)
    .map(({ name, value }) => `${name}: ${value}`);
  const variables = ['microdaoId', 'agentId'].filter((name) => written.includes(`$${name}`));
  const declared = variables.length === 0 ? '' : `(${variables.map((name) => `$${name}: ID`).join(', ')})`;
  const selection = isLeaf(field) ? '' : '{ __typename }';
  return {
    source: `${kind} ${declared} { ${field.name}${text.length === 0 ? '' : `(${text.join(', ')})`} ${selection} }`,
    arguments: variables,
    tenantless: !written.includes('$microdaoId'),
  };
}

const isLeaf = (field: GraphQLField<unknown, unknown>): boolean => {
  const type = getNamedType(field.type);
  return isEnumType(type) || (!isObjectType(type) && !('getFields' in type));
};

function writeInput(name: string, type: GraphQLInputType): string | undefined {
  if (name === 'microdaoId' || name === 'agentId') return `$${name}`;
  const named = getNamedType(type);
  if (isInputObjectType(named)) {
    const fields = Object.values(named.getFields())
      .filter((field) => isNonNullType(field.type) || ['microdaoId', 'agentId'].includes(field.name))
      .map((field) => `${field.name}: ${writeInput(field.name, field.type) ?? 'null'}`);
    const object = `{ ${fields.join(', ')} }`;
    return isListType(isNonNullType(type) ? type.ofType : type) ? `[${object}]` : object;
  }
  if (!isNonNullType(type)) return undefined;
  const single = isEnumType(named)
    ? (named.getValues()[0]?.name ?? 'null')
    : named.name === 'Int' || named.name === 'Float'
      ? '1'
      : '"x"';
  return isListType(type.ofType) ? `[${single}]` : single;
}
