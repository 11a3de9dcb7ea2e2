import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { roles, type Caller, type Role } from './caller.ts';
import { createLogger } from './logging.ts';
import { createSubgraph, type ResolverContext } from './subgraph-server.ts';

const typeDefs = /* GraphQL */ `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@inaccessible"])
  directive @access(roles: [AccessRole!]!, microdao: String, agent: String) on FIELD_DEFINITION
  enum AccessRole @inaccessible {
    OPERATOR
    SERVICE
    AGENT
    MEMBER
  }
  type Query {
    catalogue: [String!]! @access(roles: [OPERATOR, SERVICE, AGENT, MEMBER])
    notes(microdaoId: ID, agentId: ID): String!
      @access(roles: [OPERATOR, SERVICE, AGENT], microdao: "microdaoId", agent: "agentId")
    secret(microdaoId: ID): String! @access(roles: [OPERATOR], microdao: "microdaoId")
    everything: String! @access(roles: [])
    tenantless: String @access(roles: [MEMBER])
  }
  type Mutation {
    write(input: WriteInput!): String! @access(roles: [SERVICE], microdao: "input.microdaoId")
  }
  input WriteInput {
    microdaoId: ID
  }
  type MicroDAO @key(fields: "id") {
    id: ID!
    notes: String! @access(roles: [OPERATOR], microdao: "parent.id")
  }
`;

const tellScope = (_parent: unknown, _args: unknown, { scope }: ResolverContext) =>
  [scope.microdaoId, scope.agentId].filter((id) => id !== undefined).join('/');

const resolvers = {
  Query: {
    catalogue: () => ['a'],
    notes: tellScope,
    secret: tellScope,
    everything: () => 'all',
    tenantless: tellScope,
  },
  Mutation: { write: tellScope },
  MicroDAO: { __resolveReference: (key: { id: string }) => key, notes: tellScope },
};

const logger = createLogger({ name: 'test', level: 'silent' });
const subgraph = createSubgraph({ name: 'test', typeDefs, resolvers, logger });

async function ask(caller: Caller, query: string, variables: Record<string, unknown> = {}) {
  const request = { query, variables, caller, requestId: 'request' };
  const result = await subgraph.execute(request, new AbortController().signal);
  const [error] = (result.errors ?? []) as readonly { message: string; extensions?: Record<string, unknown> }[];
  return {
    data: result.data ? (Object.values(result.data)[0] as unknown) : undefined,
    code: error?.extensions?.['code'],
    message: error?.message,
  };
}

const callerWith = (role: Role, microdaoId = 'microdao:home', more: Partial<Caller> = {}): Caller => ({
  subject: 'user:someone',
  admin: false,
  memberships: [{ microdaoId, role }],
  ...(role === 'agent' ? { agentId: 'agent:sofia' } : {}),
  ...more,
});

describe('a field with @access', () => {
  it('takes the only membership of a caller who names no microDAO', async () => {
    expect((await ask(callerWith('operator'), '{ notes }')).data).toBe('microdao:home');
  });

  it('asks a caller of several microDAOs to name one', async () => {
    const caller = callerWith('operator', 'microdao:home', {
      memberships: [
        { microdaoId: 'microdao:home', role: 'operator' },
        { microdaoId: 'microdao:other', role: 'operator' },
      ],
    });
    const { code, message } = await ask(caller, '{ notes }');
    expect(code).toBe('INVALID_INPUT');
    expect(message).toContain('microdao:home, microdao:other');
  });

  it('does not find the microDAO of someone else', async () => {
    expect((await ask(callerWith('operator'), '{ notes(microdaoId: "microdao:other") }')).code).toBe('NOT_FOUND');
  });

  it('refuses a role that is not named', async () => {
    expect((await ask(callerWith('service'), '{ secret }')).code).toBe('FORBIDDEN');
  });

  it('lets an agent act for itself alone', async () => {
    expect((await ask(callerWith('agent'), '{ notes }')).data).toBe('microdao:home/agent:sofia');
    expect((await ask(callerWith('agent'), '{ notes(agentId: "agent:sofia") }')).data).toBe(
      'microdao:home/agent:sofia',
    );
    expect((await ask(callerWith('agent'), '{ notes(agentId: "agent:other") }')).code).toBe('FORBIDDEN');
  });

  it('is open to admins, who must name the microDAO', async () => {
    const admin: Caller = { subject: 'user:root', admin: true, memberships: [] };
    expect((await ask(admin, '{ everything }')).data).toBe('all');
    expect((await ask(admin, '{ secret(microdaoId: "microdao:any") }')).data).toBe('microdao:any');
    expect((await ask(admin, '{ secret }')).code).toBe('INVALID_INPUT');
  });

  it('is closed to all but admins where it names no role', async () => {
    for (const role of roles) expect((await ask(callerWith(role), '{ everything }')).code).toBe('FORBIDDEN');
  });

  it('refuses what is not an id', async () => {
    for (const id of ['home', 'microdao:', 'agent:sofia', "microdao:x' or 1=1", `microdao:${'x'.repeat(129)}`]) {
      expect((await ask(callerWith('operator'), 'query ($id: ID) { notes(microdaoId: $id) }', { id })).code).toBe(
        'INVALID_INPUT',
      );
    }
  });

  it('has no tenant to read when it names none', async () => {
    expect((await ask(callerWith('member'), '{ tenantless }')).code).toBe('INTERNAL_ERROR');
  });

  it('guards the fields of an entity that another subgraph refers to', async () => {
    const query = 'query ($keys: [_Any!]!) { _entities(representations: $keys) { ... on MicroDAO { notes } } }';
    const keys = [{ __typename: 'MicroDAO', id: 'microdao:other' }];
    expect((await ask(callerWith('operator'), query, { keys })).code).toBe('NOT_FOUND');
  });

  it('never serves a microDAO to a stranger, whatever the operation, role and names', async () => {
    const id = (kind: string) => fc.stringMatching(/^[a-z]{1,3}$/).map((name) => `${kind}:${name}`);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ microdaoId: id('microdao'), role: fc.constantFrom(...roles) }), { maxLength: 3 }),
        id('agent'),
        id('microdao'),
        fc.constantFrom(
          'query ($id: ID) { notes(microdaoId: $id) }',
          'query ($id: ID) { secret(microdaoId: $id) }',
          'mutation ($id: ID) { write(input: { microdaoId: $id }) }',
        ),
        async (memberships, agentId, target, query) => {
          const caller: Caller = { subject: 'user:x', admin: false, memberships, agentId };
          const { data, code } = await ask(caller, query, { id: target });
          const isMember = memberships.some(({ microdaoId }) => microdaoId === target);
          if (!isMember) expect(code).toBe('NOT_FOUND');
          if (data !== undefined && data !== null) expect(String(data).split('/')[0]).toBe(target);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('a subgraph', () => {
  it('does not start while a root field or a field with its own resolver lacks @access', () => {
    const unprotectedRoot = typeDefs.replace('everything: String! @access(roles: [])', 'everything: String!');
    expect(() => createSubgraph({ name: 'x', typeDefs: unprotectedRoot, resolvers, logger })).toThrow(
      'Query.everything',
    );
    const unprotectedField = typeDefs.replace('@access(roles: [OPERATOR], microdao: "parent.id")', '');
    expect(() => createSubgraph({ name: 'x', typeDefs: unprotectedField, resolvers, logger })).toThrow(
      'MicroDAO.notes',
    );
  });
});
