import { readFile } from 'node:fs/promises';
import type { ExecutionResult } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller, Role } from '#platform/caller.ts';
import { createSubgraph, type Subgraph } from '#platform/subgraph-server.ts';
import { microdaoId, openLlmFixture, silentLogger, type LlmFixture } from '#test/llm-fixture.ts';
import { testDatabaseNames } from '#test/test-database.ts';
import type { EmbedRequest, Provider, ProviderRequest } from './providers/provider.ts';
import { createResolvers } from './resolvers.ts';

const caller = (role: Role, agentId?: string): Caller => ({
  subject: agentId ?? 'user:ann',
  admin: false,
  memberships: [{ microdaoId, role }],
  ...(agentId === undefined ? {} : { agentId }),
});
const admin: Caller = { subject: 'user:root', admin: true, memberships: [] };

/** An upstream at hand: answers what it is asked, and makes vectors of what it is told. */
class EchoProvider implements Provider {
  readonly name = 'openai';
  readonly embedded: string[] = [];
  vector: (text: string) => Float32Array = (text) => Float32Array.of(text.length, 0.25);

  async complete(request: ProviderRequest) {
    const usage = { inputTokens: 1_000, outputTokens: 10, cachedInputTokens: 0, reasoningTokens: 0 };
    return {
      model: request.model,
      content: 'Yes.',
      reasoning: null,
      refusal: null,
      toolCalls: [],
      finishReason: 'stop' as const,
      usage,
    };
  }

  async *stream() {
    yield { type: 'text' as const, text: 'Yes.' };
    yield { type: 'finish' as const, reason: 'stop' as const };
  }

  async embed({ model, texts }: EmbedRequest) {
    this.embedded.push(...texts);
    return { model, vectors: texts.map((text) => this.vector(text)), inputTokens: texts.length * 10 };
  }

  async close() {}
}

describe.each(testDatabaseNames)('the llm subgraph on %s', (name) => {
  const provider = new EchoProvider();
  let fixture: LlmFixture;
  let subgraph: Subgraph;

  beforeAll(async () => {
    fixture = await openLlmFixture(name, provider);
    const typeDefs = await readFile(new URL('../../schema/llm.graphql', import.meta.url), 'utf8');
    subgraph = createSubgraph({ name: 'llm', typeDefs, resolvers: createResolvers(fixture.llm), logger: silentLogger });
  });
  afterAll(() => fixture.close());

  const ask = (
    query: string,
    variables: Record<string, unknown> = {},
    as: Caller = caller('service'),
  ): Promise<ExecutionResult> =>
    subgraph.execute({ query, variables, caller: as, requestId: 'request-7' }, new AbortController().signal);
  const complete = (agentId: string, as?: Caller) =>
    ask(
      `mutation ($input: CompleteInput!) { complete(input: $input) { id model provider message { role content } finishReason usage { costUsd } requestId createdAt } }`,
      { input: { model: 'gpt-4o', agentId, messages: [{ role: 'USER', content: 'Is it?' }] } },
      as,
    );

  it('answers, lists the request with its attempts, and counts it, in one tenant', async () => {
    const answered = await complete('agent:sofia');
    expect(answered).toMatchObject({
      data: {
        complete: {
          provider: 'openai',
          message: { role: 'ASSISTANT', content: 'Yes.' },
          finishReason: 'STOP',
          requestId: 'request-7',
          usage: { costUsd: 0.0026 },
        },
      },
    });
    await complete('agent:max');
    const query = `query ($agent: ID) {
      llmRequests(first: 1, filter: { agentId: $agent }) {
        nodes { id microdao { id } agent { id } status usage { inputTokens costUsd } attempts { number status usage { costUsd } startedAt } createdAt finishedAt }
        pageInfo { hasNextPage endCursor }
      }
      llmUsage(filter: { agentId: $agent }, groupBy: AGENT) { agentId totals { requests costUsd errorRate latencyMsP50 } groups { key requests } byDay: groups(by: DAY) { key requests } }
    }`;
    const result = await ask(query, {}, caller('operator'));
    expect(result).toMatchObject({
      data: {
        llmRequests: {
          nodes: [
            {
              agent: { id: 'agent:max' },
              microdao: { id: microdaoId },
              status: 'SUCCEEDED',
              attempts: [{ number: 1, status: 'SUCCEEDED', usage: { costUsd: 0.0026 } }],
            },
          ],
          pageInfo: { hasNextPage: true },
        },
        llmUsage: {
          agentId: null,
          totals: { requests: 2, costUsd: 0.0052, errorRate: 0 },
          groups: [{ requests: 1 }, { requests: 1 }],
          byDay: [{ requests: 2 }],
        },
      },
    });
    // An agent sees itself alone, named or not; others are refused.
    const own = await ask(query, {}, caller('agent', 'agent:max'));
    expect(own).toMatchObject({
      data: {
        llmRequests: { pageInfo: { hasNextPage: false } },
        llmUsage: { agentId: 'agent:max', totals: { requests: 1 } },
      },
    });
    expect(
      (await ask(query, { agent: 'agent:sofia' }, caller('agent', 'agent:max'))).errors?.[0]?.extensions,
    ).toMatchObject({ code: 'FORBIDDEN' });
    const stranger: Caller = {
      subject: 'user:eve',
      admin: false,
      memberships: [{ microdaoId: 'microdao:other', role: 'operator' }],
    };
    expect(await ask(query, {}, stranger)).toMatchObject({
      data: { llmRequests: { nodes: [] }, llmUsage: { totals: { requests: 0 } } },
    });
    const foreign = await ask(`{ llmUsage(microdaoId: "${microdaoId}") { totals { requests } } }`, {}, stranger);
    expect(foreign.errors?.[0]?.extensions).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('pages through requests without losing or repeating one', async () => {
    await Promise.all(Array.from({ length: 7 }, () => complete('agent:pager')));
    const seen: string[] = [];
    for (let after: string | null = null; ;) {
      const page: ExecutionResult = await ask(
        `query ($after: String) { llmRequests(first: 3, after: $after, filter: { agentId: "agent:pager" }) { nodes { id } pageInfo { endCursor hasNextPage hasPreviousPage } } }`,
        { after },
      );
      const connection = (page.data ?? {})['llmRequests'] as {
        nodes: { id: string }[];
        pageInfo: { endCursor: string; hasNextPage: boolean };
      };
      seen.push(...connection.nodes.map(({ id }) => id));
      after = connection.pageInfo.endCursor;
      if (!connection.pageInfo.hasNextPage) break;
    }
    expect(seen).toHaveLength(7);
    expect(seen).toEqual([...new Set(seen)].toSorted().toReversed());
    for (const [argument, value] of [
      ['after', '"nonsense"'],
      ['first', '0'],
      ['first', '101'],
      ['period', '"soon"'],
    ]) {
      const refused = await ask(`{ llmRequests(${argument}: ${value}) { nodes { id } } }`);
      expect(refused.errors?.[0]?.extensions).toMatchObject({ code: 'INVALID_INPUT', details: [{ path: argument }] });
    }
  });

  it('serves agents and microDAOs to other subgraphs', async () => {
    await complete('agent:entity');
    const result = await ask(
      `query ($keys: [_Any!]!) { _entities(representations: $keys) { ... on Agent { id llmUsage(period: "1h") { totals { requests } } } ... on MicroDAO { id llmUsage { totals { requests } } } } }`,
      {
        keys: [
          { __typename: 'Agent', microdaoId, id: 'agent:entity' },
          { __typename: 'MicroDAO', id: microdaoId },
        ],
      },
    );
    expect(result.errors).toBeUndefined();
    expect(result.data?.['_entities']).toMatchObject([
      { id: 'agent:entity', llmUsage: { totals: { requests: 1 } } },
      { id: microdaoId },
    ]);
  });

  it('streams, and refuses a stream with a plain error before its first event', async () => {
    const query = `subscription ($input: CompleteInput!) { completion(input: $input) { type ... on CompletionText { text } ... on CompletionFinished { usage { estimated } } } }`;
    const events = async (model: string) => {
      const variables = { input: { model, messages: [{ role: 'USER', content: 'Is it?' }] } };
      const results: ExecutionResult[] = [];
      for await (const result of subgraph.subscribe(
        { query, variables, caller: caller('service'), requestId: 'r' },
        new AbortController().signal,
      ))
        results.push(result);
      return results;
    };
    expect((await events('gpt-4o')).map(({ data }) => (data?.['completion'] as { type: string }).type)).toEqual([
      'STARTED',
      'TEXT',
      'FINISHED',
    ]);
    expect(await events('gpt-4oo')).toMatchObject([{ errors: [{ extensions: { code: 'MODEL_NOT_FOUND' } }] }]);
  });

  it('sets prices for what comes, exactly, for admins alone', async () => {
    const set = (input: Record<string, string>, as: Caller = admin) =>
      ask(
        `mutation ($input: SetModelPriceInput!) { setModelPrice(input: $input) { id price { inputUsd cachedInputUsd version } } }`,
        { input },
        as,
      );
    expect(
      (await set({ model: 'openai/new', inputUsd: '1', outputUsd: '2' }, caller('operator'))).errors?.[0]?.extensions,
    ).toMatchObject({ code: 'FORBIDDEN' });
    expect(await set({ model: 'openai/new', inputUsd: '0.0000000001', outputUsd: '2' })).toMatchObject({
      data: {
        setModelPrice: { id: 'openai/new', price: { inputUsd: 1e-10, cachedInputUsd: 1e-10, version: 'set-1' } },
      },
    });
    const both = await Promise.all([
      set({ model: 'openai/new', inputUsd: '3', outputUsd: '2' }),
      set({ model: 'openai/new', inputUsd: '3', outputUsd: '2' }),
    ]);
    expect(both.flatMap(({ errors }) => errors ?? [])).toEqual([]);
    for (const inputUsd of ['-1', '1e3', '0.00000000001', '1000000.1', 'NaN', '', '1,5']) {
      expect((await set({ model: 'openai/new', inputUsd, outputUsd: '2' })).errors?.[0]?.extensions).toMatchObject({
        code: 'INVALID_INPUT',
        details: [{ path: 'inputUsd' }],
      });
    }
    expect((await set({ model: 'nobody-knows', inputUsd: '1', outputUsd: '2' })).errors?.[0]?.extensions).toMatchObject(
      { code: 'MODEL_NOT_FOUND' },
    );
  });

  describe('embedding', () => {
    const embed = (texts: readonly string[], input: Record<string, unknown> = {}) =>
      ask(
        `mutation ($input: EmbedInput!) { embed(input: $input) { id dimensions embeddings usage { inputTokens costUsd } } }`,
        { input: { model: 'text-embedding-3-small', input: texts, ...input } },
      );

    it('pays each text once, and none that it has', async () => {
      provider.embedded.length = 0;
      expect(await embed(['one', 'three', 'one'])).toMatchObject({
        data: {
          embed: {
            dimensions: 2,
            embeddings: [
              [3, 0.25],
              [5, 0.25],
              [3, 0.25],
            ],
            usage: { inputTokens: 20 },
          },
        },
      });
      expect(await embed(['three', 'seventeen'])).toMatchObject({
        data: {
          embed: {
            embeddings: [
              [5, 0.25],
              [9, 0.25],
            ],
            usage: { inputTokens: 10 },
          },
        },
      });
      expect(await embed(['one'])).toMatchObject({ data: { embed: { usage: { inputTokens: 0, costUsd: 0 } } } });
      expect(provider.embedded).toEqual(['one', 'three', 'seventeen']);
    });

    it('splits many texts, and keeps their order', async () => {
      const texts = Array.from({ length: 2_048 }, (_, index) => `text ${index} ${'x'.repeat(index % 700)}`);
      const result = await embed(texts);
      const embedded = result.data?.['embed'] as { embeddings: number[][] } | undefined;
      expect(embedded?.embeddings.map(([length]) => length)).toEqual(texts.map(({ length }) => length));
    });

    it('gives the same vectors for the same key, after the cache has gone too', async () => {
      const first = await embed(['keyed', 'texts'], { idempotencyKey: 'embed-1' });
      provider.embedded.length = 0;
      const again = createSubgraph({
        name: 'llm',
        typeDefs: await readFile(new URL('../../schema/llm.graphql', import.meta.url), 'utf8'),
        resolvers: createResolvers(await fixture.another()),
        logger: silentLogger,
      });
      subgraph = again;
      expect(await embed(['keyed', 'texts'], { idempotencyKey: 'embed-1' })).toEqual(first);
      expect(provider.embedded).toEqual([]);
      expect((await embed(['other'], { idempotencyKey: 'embed-1' })).errors?.[0]?.extensions).toMatchObject({
        code: 'IDEMPOTENCY_CONFLICT',
      });
    });

    it.each<[string, (text: string) => Float32Array]>([
      ['that hold NaN', () => Float32Array.of(1, Number.NaN)],
      ['of different lengths', (text) => new Float32Array(text.length).fill(1)],
      ['without numbers', () => new Float32Array()],
    ])('takes vectors %s for a bad response', async (_, vector) => {
      const before = provider.vector;
      provider.vector = vector;
      expect((await embed(['bad', 'answers'])).errors?.[0]?.extensions).toMatchObject({
        code: 'PROVIDER_BAD_RESPONSE',
      });
      provider.vector = before;
    });

    it('refuses no texts, empty ones, too many, and chat models', async () => {
      for (const texts of [[], [''], ['  '], ['a\0'], Array.from({ length: 2_049 }, () => 'x')]) {
        expect((await embed(texts)).errors?.[0]?.extensions).toMatchObject({ code: 'INVALID_INPUT' });
      }
      expect((await embed(['x'], { model: 'gpt-4o' })).errors?.[0]?.extensions).toMatchObject({
        code: 'UNSUPPORTED_BY_MODEL',
      });
      expect((await embed(['x'], { dimensions: 100_000 })).errors?.[0]?.extensions).toMatchObject({
        code: 'INVALID_INPUT',
      });
    });
  });

  it('pages through its models, and finds one by its alias', async () => {
    const page = await ask(
      `{ models(first: 2) { nodes { id price { inputUsd } capabilities available } pageInfo { hasNextPage endCursor } } model(id: "gpt-4o") { id name } none: model(id: "nobody") { id } }`,
    );
    expect(page).toMatchObject({
      data: { models: { nodes: [{}, {}], pageInfo: { hasNextPage: true } }, model: { name: 'gpt-4o' }, none: null },
    });
    expect((await ask(`{ models(provider: "nobody") { nodes { id } } }`)).errors?.[0]?.extensions).toMatchObject({
      code: 'INVALID_INPUT',
    });
  });
});
