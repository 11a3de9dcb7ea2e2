import { createServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startMockUpstream, type MockUpstream } from '#test/mock-upstream/server.ts';
import { AnthropicProvider } from './anthropic.ts';
import { createDeepSeekProvider } from './deepseek.ts';
import { DemoProvider } from './demo.ts';
import { LocalProvider } from './local.ts';
import { createOpenAiProvider } from './openai.ts';
import type { Provider, ProviderEvent, ProviderRequest } from './provider.ts';
import type { Deadlines } from './slim-fetch.ts';

const apiKey = 'sk-test-0123456789abcdef0123456789abcdef';
const never = new AbortController().signal;
const user = (content: string) => ({ role: 'user', content }) as const;
const weather = {
  name: 'get_weather',
  description: 'Tells the weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
} as const;

let upstream: MockUpstream;
beforeAll(async () => {
  upstream = await startMockUpstream();
});
afterAll(() => upstream.close());
beforeEach(() => upstream.reset());

interface Vendor {
  readonly name: string;
  readonly keySetting: string;
  readonly anthropic: boolean;
  readonly open: (url: { openai: string; anthropic: string }, deadlines?: Partial<Deadlines>) => Provider;
}
const vendors: readonly Vendor[] = [
  {
    name: 'openai',
    keySetting: 'OPENAI_API_KEY',
    anthropic: false,
    open: (url, deadlines) => createOpenAiProvider({ apiKey, baseUrl: url.openai, deadlines }),
  },
  {
    name: 'anthropic',
    keySetting: 'ANTHROPIC_API_KEY',
    anthropic: true,
    open: (url, deadlines) => new AnthropicProvider({ apiKey, baseUrl: url.anthropic, deadlines }),
  },
  {
    name: 'deepseek',
    keySetting: 'DEEPSEEK_API_KEY',
    anthropic: false,
    open: (url, deadlines) => createDeepSeekProvider({ apiKey, baseUrl: url.anthropic, deadlines }),
  },
  {
    name: 'local',
    keySetting: 'LOCAL_LLM_API_KEY',
    anthropic: false,
    open: (url, deadlines) => new LocalProvider({ apiKey, baseUrl: url.openai, deadlines }),
  },
];

async function read(stream: AsyncIterable<ProviderEvent>): Promise<{ events: ProviderEvent[]; error: unknown }> {
  const events: ProviderEvent[] = [];
  try {
    for await (const event of stream) events.push(event);
  } catch (error) {
    return { events, error };
  }
  return { events, error: undefined };
}
const textOf = (events: readonly ProviderEvent[], type: 'text' | 'reasoning' | 'refusal' = 'text'): string =>
  events.map((event) => (event.type === type ? event.text : '')).join('');
const lastUsage = (events: readonly ProviderEvent[]) => events.findLast((event) => event.type === 'usage')?.usage;

describe.each(vendors)('the provider $name', ({ name, keySetting, anthropic, open }) => {
  let provider: Provider;
  beforeAll(() => {
    provider = open({ openai: upstream.openaiBaseUrl, anthropic: upstream.anthropicBaseUrl });
  });
  afterAll(() => provider.close());
  const ask = (model: string, rest: Partial<ProviderRequest> = {}): ProviderRequest => ({
    model,
    messages: [user('Hello, how are you?')],
    ...rest,
  });
  const at = (deadlines: Partial<Deadlines>) =>
    open({ openai: upstream.openaiBaseUrl, anthropic: upstream.anthropicBaseUrl }, deadlines);

  it('answers whole and streamed alike, with its key in the vendor’s header', async () => {
    const whole = await provider.complete(ask('echo'), never);
    expect(whole).toMatchObject({
      model: 'echo',
      content: 'Hello, how are you?',
      reasoning: null,
      refusal: null,
      toolCalls: [],
      finishReason: 'stop',
    });
    expect(whole.usage?.inputTokens).toBeGreaterThan(0);
    const { events } = await read(provider.stream(ask('echo'), never));
    expect(textOf(events)).toBe('Hello, how are you?');
    expect(events.filter((event) => event.type === 'text').length).toBeGreaterThan(1);
    expect(events.at(-1)).toMatchObject({ type: 'finish', reason: 'stop', model: 'echo' });
    expect(lastUsage(events)?.outputTokens).toBe(whole.usage?.outputTokens);
    const { headers } = upstream.requests[0]!;
    expect(anthropic ? headers['x-api-key'] : headers['authorization']).toBe(anthropic ? apiKey : `Bearer ${apiKey}`);
  });

  it('translates tool calls and their results both ways, several at once', async () => {
    const tools = [weather];
    const whole = await provider.complete(ask('parallel-tool-calls', { tools }), never);
    expect(whole.finishReason).toBe('tool_calls');
    expect(whole.toolCalls.map((call) => [call.name, JSON.parse(call.arguments)])).toEqual([
      ['get_weather', { city: 'Kyiv' }],
      ['get_weather', { city: 'Lviv' }],
    ]);
    const { events } = await read(provider.stream(ask('parallel-tool-calls', { tools }), never));
    const calls = new Map<number, { id: string; name: string; arguments: string }>();
    for (const event of events) {
      if (event.type !== 'tool_call') continue;
      const call = calls.get(event.index);
      if (call === undefined) calls.set(event.index, { id: event.id!, name: event.name!, arguments: event.arguments });
      else call.arguments += event.arguments;
    }
    expect([...calls.keys()]).toEqual([0, 1]);
    expect([...calls.values()]).toEqual(whole.toolCalls);
    expect(events.at(-1)).toMatchObject({ type: 'finish', reason: 'tool_calls' });

    upstream.reset();
    await provider.complete(
      {
        model: 'echo',
        tools,
        messages: [
          user('Compare.'),
          { role: 'assistant', content: null, toolCalls: whole.toolCalls },
          { role: 'tool', toolCallId: whole.toolCalls[0]!.id, content: '21' },
          { role: 'tool', toolCallId: whole.toolCalls[1]!.id, content: '19' },
        ],
      },
      never,
    );
    const sent = upstream.requests[0]!.body['messages'] as {
      role: string;
      content: unknown;
      tool_calls?: unknown;
      tool_call_id?: string;
    }[];
    if (anthropic) {
      expect(sent.map((message) => message.role)).toEqual(['user', 'assistant', 'user']);
      expect(sent[1]?.content).toMatchObject([
        { type: 'tool_use', input: { city: 'Kyiv' } },
        { type: 'tool_use', input: { city: 'Lviv' } },
      ]);
      expect(sent[2]?.content).toMatchObject([
        { type: 'tool_result', content: '21' },
        { type: 'tool_result', content: '19' },
      ]);
    } else {
      expect(sent.map((message) => message.role)).toEqual(['user', 'assistant', 'tool', 'tool']);
      expect(sent[1]?.tool_calls).toMatchObject([
        { type: 'function', function: { name: 'get_weather', arguments: '{"city":"Kyiv"}' } },
        {},
      ]);
      expect(sent[3]?.tool_call_id).toBe(whole.toolCalls[1]!.id);
    }
  });

  it.each([
    ['auto', 'auto', { type: 'auto' }],
    ['none', 'none', { type: 'none' }],
    ['required', 'required', { type: 'any' }],
    [
      { name: 'get_weather' },
      { type: 'function', function: { name: 'get_weather' } },
      { type: 'tool', name: 'get_weather' },
    ],
  ] as const)('says the tool choice %j in the vendor’s words', async (toolChoice, openai, anthropics) => {
    await provider.complete(ask('echo', { tools: [weather], toolChoice }), never);
    expect(upstream.requests[0]?.body['tool_choice']).toEqual(anthropic ? anthropics : openai);
  });

  it('reports thoughts, and usage with cached tokens inside the input', async () => {
    const { events } = await read(provider.stream(ask('reasoning'), never));
    expect(textOf(events, 'reasoning')).toBe('First I think, then I answer.');
    expect(textOf(events)).toBe('The answer is 42.');
    const whole = await provider.complete(ask('reasoning'), never);
    expect(whole).toMatchObject({
      reasoning: 'First I think, then I answer.',
      content: 'The answer is 42.',
      usage: { inputTokens: 12, outputTokens: 30 },
    });
    const cached = await provider.complete(ask('cached-usage'), never);
    expect(cached.usage).toEqual({ inputTokens: 100, outputTokens: 5, cachedInputTokens: 80, reasoningTokens: 0 });
    expect(lastUsage((await read(provider.stream(ask('cached-usage'), never))).events)).toEqual(cached.usage);
  });

  it('maps why the answer ended', async () => {
    expect((await provider.complete(ask('length'), never)).finishReason).toBe('length');
    expect((await provider.complete(ask('content-filter'), never)).finishReason).toBe('content_filter');
    expect((await read(provider.stream(ask('length'), never))).events.at(-1)).toMatchObject({ reason: 'length' });
  });

  it('tells no usage when the vendor tells none', async () => {
    expect((await provider.complete(ask('no-usage'), never)).usage).toBeNull();
    const { events, error } = await read(provider.stream(ask('no-usage'), never));
    expect(error).toBeUndefined();
    expect(lastUsage(events)).toBeUndefined();
  });

  it('passes provider options on last, key by key, and refuses those that change what is billed', async () => {
    await provider.complete(
      ask('echo', { temperature: 0.2, providerOptions: { temperature: 0.7, service_tier: 'flex' } }),
      never,
    );
    expect(upstream.requests[0]?.body).toMatchObject({ temperature: 0.7, service_tier: 'flex', model: 'echo' });
    for (const key of ['model', 'stream', 'messages']) {
      await expect(provider.complete(ask('echo', { providerOptions: { [key]: 'x' } }), never)).rejects.toMatchObject({
        code: 'UNSUPPORTED_BY_MODEL',
      });
    }
  });

  it.each([
    ['status-401', 'PROVIDER_AUTHENTICATION_FAILED'],
    ['status-403', 'PROVIDER_AUTHENTICATION_FAILED'],
    ['status-400', 'PROVIDER_REJECTED'],
    ['status-404', 'MODEL_NOT_FOUND'],
    ['context-length', 'CONTEXT_LENGTH_EXCEEDED'],
    ['status-429', 'PROVIDER_RATE_LIMITED'],
    ['status-500', 'PROVIDER_UNAVAILABLE'],
    ['status-503', 'PROVIDER_UNAVAILABLE'],
    ['status-302', 'PROVIDER_BAD_RESPONSE'],
    ['html', 'PROVIDER_BAD_RESPONSE'],
    ['empty', 'PROVIDER_BAD_RESPONSE'],
    ['malformed-chunk', 'PROVIDER_BAD_RESPONSE'],
  ])('turns %s into %s, naming the vendor and never a key', async (model, code) => {
    for (const answer of [
      provider.complete(ask(model), never),
      read(provider.stream(ask(model), never)).then(({ error }) => Promise.reject(error)),
    ]) {
      const error: Error & { code?: string; cause?: unknown } = await answer.then(
        () => new Error('it answered'),
        (reason: Error) => reason,
      );
      expect(error).toMatchObject({ name: 'AppError', code });
      expect(error.message.toLowerCase()).toContain(name === 'local' ? 'local server' : name);
      if (code === 'PROVIDER_AUTHENTICATION_FAILED') expect(error.message).toContain(keySetting);
      expect(
        `${error.message} ${String(error.cause)} ${JSON.stringify(error.cause)} ${(error.cause as Error | undefined)?.stack}`,
      ).not.toMatch(/0123456789/);
    }
  });

  it('tells how long a rate limit lasts', async () => {
    await expect(provider.complete(ask('status-429'), never)).rejects.toMatchObject({ retryAfterMs: 1500 });
    upstream.setBehaviour('echo', { status: 429, headers: { 'retry-after': '7', 'retry-after-ms': '' } });
    await expect(provider.complete(ask('echo'), never)).rejects.toMatchObject({ retryAfterMs: 7000 });
  });

  it.each([
    ['cut-stream', 'STREAM_INTERRUPTED'],
    ['no-done', 'STREAM_INTERRUPTED'],
    ['error-in-stream', 'STREAM_INTERRUPTED'],
    ['malformed-chunk', 'PROVIDER_BAD_RESPONSE'],
  ])('delivers what came of %s before it throws %s', async (model, code) => {
    const { events, error } = await read(provider.stream(ask(model), never));
    expect(error).toMatchObject({ code, retryable: true });
    expect(textOf(events)).toMatch(/^one two/);
    expect(events.some((event) => event.type === 'finish')).toBe(false);
  });

  it('calls a broken connection unavailable when the answer is whole', async () => {
    await expect(provider.complete(ask('cut-stream'), never)).rejects.toMatchObject({ code: 'PROVIDER_UNAVAILABLE' });
  });

  it('aborts the upstream request within 100 ms, quiet or in the middle, and rejects with the reason', async () => {
    const reason = new Error('the client left');
    for (const model of ['silent', 'stall', 'stream-1000-tokens-20ms']) {
      for (const way of ['complete', 'stream'] as const) {
        if (way === 'complete' && model.startsWith('stream-')) continue;
        upstream.reset();
        const abort = new AbortController();
        const answer =
          way === 'complete'
            ? provider.complete(ask(model), abort.signal)
            : read(provider.stream(ask(model), abort.signal)).then(({ error }) => Promise.reject(error));
        answer.catch(() => undefined);
        await expect.poll(() => upstream.requests.length).toBe(1);
        const abortedAt = performance.now();
        abort.abort(reason);
        await expect(answer).rejects.toBe(reason);
        await expect.poll(() => upstream.requests[0]?.aborted, { interval: 2 }).toBe(true);
        expect(upstream.requests[0]!.abortedAt! - abortedAt).toBeLessThan(100);
      }
    }
    await expect(provider.complete(ask('echo'), AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it('aborts the upstream request when the reader of a stream stops reading', async () => {
    for await (const event of provider.stream(ask('stream-1000-tokens-20ms'), never)) if (event.type === 'text') break;
    await expect.poll(() => upstream.requests[0]?.aborted).toBe(true);
  });

  it('gives up at its deadlines', async () => {
    const firstToken = at({ firstTokenMs: 60 });
    await expect(firstToken.complete(ask('silent'), never)).rejects.toMatchObject({ code: 'PROVIDER_TIMEOUT' });
    await expect.poll(() => upstream.requests[0]?.aborted).toBe(true);
    await firstToken.close();
    const between = at({ betweenTokensMs: 80 });
    const { events, error } = await read(between.stream(ask('stall'), never));
    expect(textOf(events)).toMatch(/^one two/);
    expect(error).toMatchObject({ code: 'PROVIDER_TIMEOUT' });
    await between.close();
  });

  it('says that a vendor cannot be reached', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    const nowhere = open({ openai: `http://127.0.0.1:${port}/v1`, anthropic: `http://127.0.0.1:${port}` });
    await expect(nowhere.complete(ask('echo'), never)).rejects.toMatchObject({
      code: 'PROVIDER_UNAVAILABLE',
      message: expect.stringContaining('ECONNREFUSED'),
    });
    const { error } = await read(nowhere.stream(ask('echo'), never));
    expect(error).toMatchObject({ code: 'PROVIDER_UNAVAILABLE' });
    await nowhere.close();
    const noName = open({ openai: 'http://no-such-host.invalid/v1', anthropic: 'http://no-such-host.invalid' });
    await expect(noName.complete(ask('echo'), never)).rejects.toMatchObject({ code: 'PROVIDER_UNAVAILABLE' });
    await noName.close();
  });

  it('retries nothing', async () => {
    await expect(provider.complete(ask('status-500'), never)).rejects.toBeDefined();
    await expect(provider.complete(ask('status-429'), never)).rejects.toBeDefined();
    expect(upstream.requests).toHaveLength(2);
  });

  it('keeps connections, also after streams', async () => {
    const fresh = at({});
    const before = upstream.connections();
    for (let round = 0; round < 5; round += 1) {
      await read(fresh.stream(ask('stream-50-tokens-1ms'), never));
      await fresh.complete(ask('echo'), never);
    }
    // A stream's last word comes a moment before its end: the next request may find the connection still taken.
    expect(upstream.connections() - before).toBeLessThanOrEqual(3);
    await fresh.close();
  });

  it('carries any text unharmed, in any chunks', async () => {
    const text = 'Привіт 👩‍👩‍👧‍👦 \u2028 "quotes" \\ \n\ttab data: [DONE]\n\nevent: error';
    const pieces = [...text];
    upstream.setBehaviour('echo', { text, pieces });
    expect(textOf((await read(provider.stream(ask('echo'), never))).events)).toBe(text);
    expect((await provider.complete(ask('echo'), never)).content).toBe(text);
    await provider.complete(ask('echo', { messages: [user(text)] }), never);
    expect(JSON.stringify(upstream.requests.at(-1)?.body)).toContain(JSON.stringify(text).slice(1, -1));
  });

  it('rejects what is under way when it is closed', async () => {
    const closing = at({});
    const answer = closing.complete(ask('silent'), never);
    answer.catch(() => undefined);
    await expect.poll(() => upstream.requests.length).toBe(1);
    await closing.close();
    await expect(answer).rejects.toMatchObject({ name: 'AppError' });
  });
});

describe('the demo provider', () => {
  it('keeps the same contract where it applies', async () => {
    const demo: Provider = new DemoProvider({ wordDelayMs: 0 });
    const request: ProviderRequest = {
      model: 'demo',
      messages: [user('Hello, how are you?')],
      providerOptions: { user: 'x' },
    };
    const whole = await demo.complete(request, never);
    const { events } = await read(demo.stream(request, never));
    expect(textOf(events)).toBe(whole.content);
    expect(lastUsage(events)).toEqual(whole.usage);
    expect(events.at(-1)).toMatchObject({ type: 'finish', reason: 'stop' });
    const reason = new Error('left');
    await expect(demo.complete(request, AbortSignal.abort(reason))).rejects.toBe(reason);
    await expect(read(demo.stream(request, AbortSignal.abort(reason)))).resolves.toMatchObject({
      events: [],
      error: reason,
    });
  });
});
