import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { internalSecret, silentLogger } from '#test/gateway-subgraphs.ts';
import { startTestGateway, type TestGateway } from '#test/gateway-server.ts';
import { createInProcessSupergraph } from './in-process-supergraph.ts';
import type { Caller } from '#platform/caller.ts';
import { createHttpTransport } from '#platform/http-transport.ts';
import { createInternalTokenSigner } from '#platform/internal-token.ts';
import { createSupergraphClient, type SupergraphClient } from '#platform/supergraph-client.ts';

const operator: Caller = {
  subject: 'user:olga',
  admin: false,
  memberships: [
    { microdaoId: 'microdao:a', role: 'operator' },
    { microdaoId: 'microdao:b', role: 'member' },
  ],
};
const call = { requestId: 'request-1', signal: new AbortController().signal };
const whoAsks = '{ whoAsks { subject actor admin microdaoIds roles agentId } }';

describe.each(['http', 'in-process'] as const)('a part that asks the supergraph (%s)', (kind) => {
  let gateway: TestGateway;
  let client: SupergraphClient;
  const closers: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    gateway = await startTestGateway();
    closers.push(() => gateway.close());
    if (kind === 'in-process') {
      client = createSupergraphClient({
        part: 'service:memory',
        transport: createInProcessSupergraph(gateway.supergraph),
      });
      return;
    }
    const signCaller = createInternalTokenSigner(internalSecret, 'supergraph');
    const transport = createHttpTransport({ url: gateway.url, signCaller, logger: silentLogger });
    closers.unshift(() => transport.close());
    client = createSupergraphClient({ part: 'service:memory', transport });
  });
  afterAll(async () => {
    for (const close of closers) await close();
  });

  it('is that agent of that microDAO and nothing more, and is recorded as the actor', async () => {
    const session = client.onBehalfOf(operator, { microdaoId: 'microdao:a', agentId: 'agent:sofia' });
    expect(await session.execute({ ...call, query: whoAsks })).toEqual({
      whoAsks: {
        subject: 'user:olga',
        actor: 'service:memory',
        admin: false,
        microdaoIds: ['microdao:a'],
        roles: ['agent'],
        agentId: 'agent:sofia',
      },
    });
  });

  it('works as a service of one microDAO in a job of its own', async () => {
    const { whoAsks: caller } = await client
      .forJob({ microdaoId: 'microdao:b' })
      .execute<{ whoAsks: object }>({ ...call, query: whoAsks });
    expect(caller).toMatchObject({
      subject: 'service:memory',
      microdaoIds: ['microdao:b'],
      roles: ['service'],
      agentId: null,
    });
  });

  it('never may more than the caller it serves', () => {
    expect(() => client.onBehalfOf(operator, { microdaoId: 'microdao:c' })).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    );
    expect(() => client.onBehalfOf(operator, { microdaoId: 'microdao:b', agentId: 'agent:sofia' })).toThrow(
      expect.objectContaining({ code: 'FORBIDDEN' }),
    );
  });

  it('gets errors as AppErrors with their codes', async () => {
    const session = client.onBehalfOf(operator, { microdaoId: 'microdao:a' });
    await expect(session.execute({ ...call, query: '{ echoNobodyKnows }' })).rejects.toMatchObject({
      code: 'GRAPHQL_VALIDATION_FAILED',
    });
    await expect(session.execute({ ...call, query: '{ people { name } }' })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
  });

  it('reads streams', async () => {
    const admin: Caller = { subject: 'user:root', admin: true, memberships: [] };
    const session = client.onBehalfOf(admin, { microdaoId: 'microdao:a' });
    const numbers: number[] = [];
    for await (const { memberTicks } of session.subscribe<{ memberTicks: { number: number } }>({
      ...call,
      query: 'subscription { memberTicks(count: 3) { number } }',
    }))
      numbers.push(memberTicks.number);
    expect(numbers).toEqual([0, 1, 2]);
  });
});
