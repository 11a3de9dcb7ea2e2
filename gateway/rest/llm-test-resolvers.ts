import { AppError, invalidInput } from '#platform/errors.ts';

/** What the canned subgraph was asked, for tests to look at. */
export interface Asked {
  readonly input: Record<string, unknown>;
  readonly requestId: string;
}

export interface LlmTestResolvers {
  readonly resolvers: Readonly<Record<string, unknown>>;
  readonly asked: Asked[];
  /** Streams that are open now. */
  readonly open: { count: number };
}

const usage = {
  inputTokens: 7,
  outputTokens: 5,
  cachedInputTokens: 2,
  reasoningTokens: 1,
  costUsd: 0.000123,
  estimated: false,
};
const createdAt = '2026-11-22T10:00:00.000Z';
const toolCall = {
  id: 'call_1',
  type: 'FUNCTION',
  function: { name: 'get_weather', arguments: '{"cityName":"Kyiv"}' },
};
const providerState = { someKey: ['Kept_as_is'] };

const figures = {
  requests: 3,
  inputTokens: 21,
  outputTokens: 15,
  cachedInputTokens: 6,
  reasoningTokens: 3,
  costUsd: 0.5,
  unpricedRequests: 0,
  errors: 1,
  errorRate: 1 / 3,
  latencyMsP50: 12.5,
  latencyMsP95: null,
};

const model = (name: string) => ({
  id: `openai/${name}`,
  provider: 'openai',
  name,
  aliases: [name],
  contextWindow: 128_000,
  maxOutputTokens: null,
  dimensions: null,
  capabilities: ['CHAT', 'PARALLEL_TOOL_CALLS'],
  price: { inputUsd: 2.5, outputUsd: 10, cachedInputUsd: 1.25, version: 'v1' },
  available: name !== 'model-0',
  reason: null,
});

const models = Array.from({ length: 250 }, (_, index) => model(`model-${index}`));

/**
 * An llm subgraph that answers by the model's name: `echo` with text, `tools` with a tool call, `plain` with nothing
 * optional, `refuse:CODE` with that error, `breaks` in the middle of a stream, `quiet` with silence after its start,
 * `flood` with many large events.
 */
export function llmTestResolvers(): LlmTestResolvers {
  const asked: Asked[] = [];
  const open = { count: 0 };

  const note = (input: Record<string, unknown>, requestId: string) => {
    asked.push({ input, requestId });
    const name = String(input['model']);
    if (name === 'refuse:INVALID_INPUT') {
      throw invalidInput([
        { path: 'input.messages[0].toolCallId', reason: 'is required of a tool' },
        { path: 'maxTokens', reason: 'must be positive' },
      ]);
    }
    if (name.startsWith('refuse:'))
      throw new AppError(name.slice(7) as 'RATE_LIMITED', `Refused with ${name.slice(7)}.`, { retryAfterMs: 1_200 });
    if (name === 'defect') throw new Error('a secret inner detail');
  };

  async function* events(
    input: Record<string, unknown>,
    requestId: string,
    signal: AbortSignal,
  ): AsyncGenerator<Record<string, unknown>> {
    open.count += 1;
    try {
      const name = String(input['model']);
      const failed = {
        type: 'FAILED',
        error: {
          code: 'PROVIDER_UNAVAILABLE',
          message: 'The provider is down.',
          retryable: true,
          retryAfterMs: 500,
          requestId,
        },
        usage: null,
      };
      if (name === 'fails-at-once') {
        yield failed;
        return;
      }
      yield { type: 'STARTED', id: 'cmpl_1', requestId, model: 'gpt-4o', provider: 'openai', createdAt };
      if (name === 'fails-after-start') {
        yield failed;
        return;
      }
      if (name === 'quiet')
        await new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
        );
      if (name === 'flood')
        for (let index = 0; index < 20_000; index += 1) yield { type: 'TEXT', text: 'x'.repeat(10_000) };
      if (name === 'tokens') for (let index = 0; index < 1_000; index += 1) yield { type: 'TEXT', text: ' token' };
      yield { type: 'REASONING', text: 'hmm' };
      yield { type: 'TEXT', text: 'Hel' };
      yield { type: 'TEXT', text: 'lo \u{1f600} data: x\n\n' };
      if (name === 'breaks') {
        yield failed;
        return;
      }
      if (name === 'cut') return;
      if (name === 'throws') throw new AppError('SUBGRAPH_UNAVAILABLE', 'A part of the graph cannot be reached.');
      if (name === 'tools') {
        yield { type: 'TOOL_CALL', index: 0, id: 'call_1', name: 'get_weather', arguments: '' };
        yield { type: 'TOOL_CALL', index: 0, id: null, name: null, arguments: '{"cityName":' };
        yield { type: 'TOOL_CALL', index: 1, id: 'call_2', name: 'get_time', arguments: '{}' };
        yield { type: 'TOOL_CALL', index: 0, id: null, name: null, arguments: '"Kyiv"}' };
      }
      yield {
        type: 'FINISHED',
        finishReason: name === 'tools' ? 'TOOL_CALLS' : 'STOP',
        usage,
        providerState: name === 'tools' ? providerState : null,
      };
    } finally {
      open.count -= 1;
    }
  }

  const typeNames: Record<string, string> = {
    STARTED: 'CompletionStarted',
    TEXT: 'CompletionText',
    REASONING: 'CompletionReasoning',
    REFUSAL: 'CompletionRefusal',
    TOOL_CALL: 'CompletionToolCall',
    FINISHED: 'CompletionFinished',
    FAILED: 'CompletionFailed',
  };

  const resolvers = {
    Query: {
      models: (_: unknown, { first, after }: { first: number; after?: string }) => {
        const start = after === undefined || after === null ? 0 : Number(after) + 1;
        const nodes = models.slice(start, start + Math.min(first, 100));
        const end = start + nodes.length - 1;
        const pageInfo = {
          hasNextPage: end < models.length - 1,
          hasPreviousPage: start > 0,
          startCursor: String(start),
          endCursor: String(end),
        };
        return { nodes, edges: [], pageInfo };
      },
      model: (_: unknown, { id }: { id: string }) =>
        models.find((candidate) => candidate.id === id || candidate.name === id) ?? null,
      llmUsage: (_: unknown, args: Record<string, unknown>) => {
        asked.push({ input: args, requestId: '' });
        return {
          microdaoId: 'microdao:daarion',
          agentId: (args['filter'] as { agentId?: string })?.agentId ?? null,
          from: createdAt,
          to: createdAt,
          period: args['period'],
          totals: figures,
        };
      },
      llmRequests: (_: unknown, args: Record<string, unknown>) => {
        asked.push({ input: args, requestId: '' });
        return {
          nodes: [],
          edges: [],
          pageInfo: { hasNextPage: true, hasPreviousPage: false, startCursor: null, endCursor: 'cursor-1' },
        };
      },
    },
    LlmUsage: { groups: () => [{ key: 'openai/gpt-4o', ...figures }] },
    LlmRequest: { attempts: () => [] },
    Agent: { llmUsage: () => null },
    MicroDAO: { llmUsage: () => null },
    Mutation: {
      complete: (_: unknown, { input }: { input: Record<string, unknown> }, { requestId }: { requestId: string }) => {
        note(input, requestId);
        const tools = input['model'] === 'tools';
        return {
          id: 'cmpl_1',
          requestId,
          model: 'gpt-4o',
          provider: 'openai',
          createdAt,
          usage,
          finishReason: tools ? 'TOOL_CALLS' : 'STOP',
          message: {
            role: 'ASSISTANT',
            content: tools ? null : 'Hello',
            reasoning: input['model'] === 'plain' ? null : 'hmm',
            refusal: null,
            toolCalls: tools ? [toolCall] : null,
            providerState: tools ? providerState : null,
          },
        };
      },
      embed: (_: unknown, { input }: { input: Record<string, unknown> }, { requestId }: { requestId: string }) => {
        note(input, requestId);
        return {
          id: 'emb_1',
          requestId,
          model: 'text-embedding-3-small',
          provider: 'openai',
          dimensions: 3,
          usage,
          embeddings: (input['input'] as string[]).map((_text, index) => [0.5, -0.25, index]),
        };
      },
      setModelPrice: (_: unknown, { input }: { input: Record<string, unknown> }) => {
        asked.push({ input, requestId: '' });
        return models[0];
      },
    },
    Subscription: {
      completion: {
        subscribe: (
          _: unknown,
          { input }: { input: Record<string, unknown> },
          { requestId, signal }: { requestId: string; signal: AbortSignal },
        ) => {
          note(input, requestId);
          return events(input, requestId, signal);
        },
        resolve: (event: unknown) => event,
      },
    },
    CompletionEvent: { __resolveType: ({ type }: { type: string }) => typeNames[type] },
  };
  return { resolvers, asked, open };
}
