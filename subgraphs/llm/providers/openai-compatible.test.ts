import { createServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mockEmbedding } from '#test/mock-upstream/openai-wire.ts';
import { startMockUpstream, type MockUpstream } from '#test/mock-upstream/server.ts';
import { createDeepSeekProvider } from './deepseek.ts';
import { LocalProvider } from './local.ts';
import { createOpenAiProvider } from './openai.ts';
import type { OpenAiCompatibleProvider } from './openai-compatible.ts';
import type { Provider, ProviderEvent, ProviderRequest } from './provider.ts';

const never = new AbortController().signal;
const user = (content: string) => ({ role: 'user', content }) as const;
const chunk = (delta: object, rest: object = {}): string =>
  `data: ${JSON.stringify({ model: 'm-1', choices: [{ index: 0, delta, ...rest }] })}\n\n`;
const done = 'data: [DONE]\n\n';

let upstream: MockUpstream;
let openai: OpenAiCompatibleProvider;
let deepseek: OpenAiCompatibleProvider;
let local: LocalProvider;
beforeAll(async () => {
  upstream = await startMockUpstream();
  openai = createOpenAiProvider({ apiKey: 'key', baseUrl: upstream.openaiBaseUrl });
  deepseek = createDeepSeekProvider({ apiKey: 'key', baseUrl: upstream.url });
  local = new LocalProvider({ baseUrl: upstream.openaiBaseUrl, modelsFreshMs: 50 });
});
afterAll(async () => {
  await Promise.all([openai.close(), deepseek.close(), local.close()]);
  await upstream.close();
});
beforeEach(() => upstream.reset());

const sent = async (provider: Provider, request: Partial<ProviderRequest>): Promise<Record<string, unknown>> => {
  await provider.complete({ model: 'echo', messages: [user('Hi')], ...request }, never);
  return upstream.requests.at(-1)!.body;
};
const collect = async (provider: Provider, body: string): Promise<ProviderEvent[]> => {
  upstream.answerNext({ body });
  const events: ProviderEvent[] = [];
  for await (const event of provider.stream({ model: 'm', messages: [user('Hi')] }, never)) events.push(event);
  return events;
};

describe('the request body', () => {
  it('says everything of a request in OpenAI’s words', async () => {
    expect(
      await sent(openai, {
        model: 'gpt-4o',
        messages: [
          { role: 'system', content: 'Be brief.' },
          {
            role: 'user',
            content: [
              { type: 'text', text: 'What?' },
              { type: 'image_url', image_url: { url: 'https://example.org/cat.png', detail: 'low' } },
            ],
            name: 'anna',
          },
        ],
        tools: [{ name: 'f', description: 'd', strict: true }],
        toolChoice: 'auto',
        parallelToolCalls: false,
        responseFormat: { type: 'json_schema', name: 'r', schema: { type: 'object' }, strict: true },
        stop: ['END'],
        temperature: 0.5,
        topP: 0.9,
        seed: 7,
        maxTokens: 99,
      }),
    ).toEqual({
      model: 'gpt-4o',
      messages: [
        { role: 'system', content: 'Be brief.' },
        {
          role: 'user',
          name: 'anna',
          content: [
            { type: 'text', text: 'What?' },
            { type: 'image_url', image_url: { url: 'https://example.org/cat.png', detail: 'low' } },
          ],
        },
      ],
      tools: [{ type: 'function', function: { name: 'f', description: 'd', strict: true } }],
      tool_choice: 'auto',
      parallel_tool_calls: false,
      response_format: { type: 'json_schema', json_schema: { name: 'r', schema: { type: 'object' }, strict: true } },
      stop: ['END'],
      temperature: 0.5,
      top_p: 0.9,
      seed: 7,
      max_tokens: 99,
    });
  });

  it('speaks to reasoning models as they want it', async () => {
    const body = await sent(openai, {
      model: 'gpt-5.2',
      messages: [{ role: 'system', content: 'S' }, user('U')],
      maxTokens: 50,
      reasoning: { effort: 'minimal' },
    });
    expect(body).toMatchObject({
      max_completion_tokens: 50,
      reasoning_effort: 'minimal',
      messages: [{ role: 'developer' }, { role: 'user' }],
    });
    expect(body).not.toHaveProperty('max_tokens');
  });

  it('asks for the usage of a stream, whatever the options say', async () => {
    for await (const _ of openai.stream(
      {
        model: 'echo',
        messages: [user('Hi')],
        providerOptions: { stream_options: { include_usage: false, include_obfuscation: false } },
      },
      never,
    ));
    expect(upstream.requests[0]?.body).toMatchObject({
      stream: true,
      stream_options: { include_usage: true, include_obfuscation: false },
    });
  });

  it.each([
    ['openai', { reasoning: { maxTokens: 100 } }, 'reasoning.maxTokens'],
    ['openai', { providerOptions: { n: 2 } }, 'providerOptions.n'],
    ['deepseek', { seed: 1 }, 'seed'],
    ['deepseek', { parallelToolCalls: false }, 'parallelToolCalls'],
    ['deepseek', { responseFormat: { type: 'json_schema', name: 'x', schema: {} } }, 'responseFormat'],
    [
      'deepseek',
      {
        messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://example.org/a.png' } }] }],
      },
      'messages[0].content',
    ],
  ] as const)('%s refuses %j by its name, and sends nothing', async (name, request, path) => {
    const provider = name === 'openai' ? openai : deepseek;
    await expect(sent(provider, request)).rejects.toMatchObject({
      code: 'UNSUPPORTED_BY_MODEL',
      details: [{ path }],
      message: expect.stringContaining(path),
    });
    expect(upstream.requests).toHaveLength(0);
  });

  it('switches DeepSeek’s thinking, and returns its thoughts with its tool calls', async () => {
    expect(await sent(deepseek, { reasoning: { effort: 'none' } })).toMatchObject({ thinking: { type: 'disabled' } });
    expect(await sent(deepseek, { reasoning: { effort: 'high' } })).toMatchObject({
      thinking: { type: 'enabled' },
      reasoning_effort: 'high',
    });
    upstream.answerNext({ reasoning: 'Hm.', toolCalls: [{ id: 'a', name: 'f', arguments: '{}' }] });
    const answer = await deepseek.complete({ model: 'm', messages: [user('Hi')], tools: [{ name: 'f' }] }, never);
    expect(answer.providerState).toEqual({ provider: 'deepseek', value: { reasoningContent: 'Hm.' } });
    const assistant = {
      role: 'assistant',
      content: null,
      toolCalls: answer.toolCalls,
      providerState: answer.providerState,
    } as const;
    const messages = [user('Hi'), assistant, { role: 'tool', toolCallId: 'a', content: '1' } as const];
    expect((await sent(deepseek, { messages }))['messages']).toMatchObject([{}, { reasoning_content: 'Hm.' }, {}]);
    expect(JSON.stringify(await sent(openai, { messages }))).not.toContain('Hm.');
  });

  it('sends no key to a local server that has none', async () => {
    await sent(local, {});
    expect(upstream.requests[0]?.headers).not.toHaveProperty('authorization');
  });
});

describe('odd streams', () => {
  it('tells tool calls apart by index, by id where the index is missing or always the same, and waits for a name', async () => {
    const call = (index: number | undefined, id: string | undefined, name: string | undefined, args: unknown) => ({
      index,
      id,
      type: 'function',
      function: { name, arguments: args },
    });
    const read = async (...calls: object[]): Promise<unknown[]> => {
      const events = await collect(
        local,
        calls.map((item) => chunk({ tool_calls: [item] })).join('') + chunk({}, { finish_reason: 'stop' }) + done,
      );
      expect(events.at(-1)).toMatchObject({ type: 'finish', reason: 'tool_calls' });
      const whole: { name?: string | undefined; arguments: string }[] = [];
      for (const event of events) {
        if (event.type !== 'tool_call') continue;
        const known = whole[event.index];
        if (known === undefined) whole[event.index] = { name: event.name, arguments: event.arguments };
        else known.arguments += event.arguments;
      }
      return whole;
    };
    const both = [
      { name: 'f', arguments: '{"a":1}' },
      { name: 'g', arguments: '{}' },
    ];
    // Interleaved, and numbered from 1.
    expect(
      await read(
        call(1, 'x', 'f', ''),
        call(2, 'y', 'g', '{'),
        call(1, undefined, undefined, '{"a":1}'),
        call(2, undefined, undefined, '}'),
      ),
    ).toEqual(both);
    // Ollama: whole calls, all at index 0.
    expect(await read(call(0, 'x', 'f', '{"a":1}'), call(0, 'y', 'g', '{}'))).toEqual(both);
    // No index at all.
    expect(
      await read(
        call(undefined, 'x', 'f', '{"a"'),
        call(undefined, undefined, undefined, ':1}'),
        call(undefined, 'y', 'g', '{}'),
      ),
    ).toEqual(both);
    // The name after the id; arguments as an object; no id.
    expect(
      await read(call(0, 'x', undefined, '{"a"'), call(0, undefined, 'f', ':1}'), call(1, undefined, 'g', {})),
    ).toEqual(both);
  });

  it('replaces cumulative usage, and reads it from any chunk', async () => {
    const usage = (prompt: number, completion: number) => ({
      usage: { prompt_tokens: prompt, completion_tokens: completion },
    });
    const line = (content: string, rest: object) =>
      `data: ${JSON.stringify({ model: 'm-1', choices: [{ index: 0, delta: { content }, finish_reason: content === '' ? 'stop' : null }], ...rest })}\n\n`;
    const events = await collect(
      deepseek,
      line('a', usage(5, 1)) + line('b', usage(5, 2)) + line('', usage(5, 2)) + done,
    );
    expect(events.filter((event) => event.type === 'usage').at(-1)).toEqual({
      type: 'usage',
      usage: { inputTokens: 5, outputTokens: 2, cachedInputTokens: 0, reasoningTokens: 0 },
    });
  });

  it('reads refusals, both spellings of reasoning, CRLF, comments and an end without an empty line', async () => {
    const text = `: keep-alive\r\n\r\n${chunk({ reasoning: 'R1' })}${chunk({ reasoning_content: 'R2' })}${chunk({ refusal: 'No.' })}${chunk({}, { finish_reason: 'stop' })}data: [DONE]`;
    expect(await collect(openai, text.replaceAll('\n', '\r\n'))).toEqual([
      { type: 'reasoning', text: 'R1' },
      { type: 'reasoning', text: 'R2' },
      { type: 'refusal', text: 'No.' },
      { type: 'finish', reason: 'stop', model: 'm-1' },
    ]);
  });

  it('takes a whole answer from a local server that cannot stream', async () => {
    upstream.answerNext({
      body: {
        model: 'm-1',
        choices: [{ message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 3, completion_tokens: 1 },
      },
    });
    const events: ProviderEvent[] = [];
    for await (const event of local.stream({ model: 'm', messages: [user('Hi')] }, never)) events.push(event);
    expect(events.map((event) => event.type)).toEqual(['text', 'usage', 'finish']);
  });

  it('needs the final marker, of a local server a finish reason', async () => {
    const withoutDone = chunk({ content: 'Hi' }) + chunk({}, { finish_reason: 'stop' });
    await expect(collect(openai, withoutDone)).rejects.toMatchObject({ code: 'STREAM_INTERRUPTED' });
    expect((await collect(local, withoutDone)).at(-1)).toMatchObject({ type: 'finish' });
    await expect(collect(local, chunk({ content: 'Hi' }))).rejects.toMatchObject({ code: 'STREAM_INTERRUPTED' });
  });

  it('gives an error that comes instead of the first piece its own code', async () => {
    const error = {
      error: {
        code: 400,
        message: 'the request exceeds the available context size',
        type: 'exceed_context_size_error',
      },
    };
    await expect(collect(local, `data: ${JSON.stringify(error)}\n\n`)).rejects.toMatchObject({
      code: 'CONTEXT_LENGTH_EXCEEDED',
    });
    await expect(collect(local, `data: {"error":"out of memory"}\n\n`)).rejects.toMatchObject({
      code: 'STREAM_INTERRUPTED',
      message: expect.stringContaining('out of memory'),
    });
    await expect(
      collect(deepseek, chunk({ content: 'Hi' }) + chunk({}, { finish_reason: 'insufficient_system_resource' }) + done),
    ).rejects.toMatchObject({ code: 'STREAM_INTERRUPTED' });
  });

  it('reads whole answers of servers that are loose about types', async () => {
    upstream.answerNext({
      body: {
        choices: [
          {
            message: {
              content: [{ type: 'text', text: 'Hello' }],
              tool_calls: [{ function: { name: 'f', arguments: { a: 1 } } }],
            },
            finish_reason: null,
          },
        ],
      },
    });
    const answer = await local.complete({ model: 'm', messages: [user('Hi')] }, never);
    expect(answer).toMatchObject({
      model: 'm',
      content: 'Hello',
      finishReason: 'tool_calls',
      usage: null,
      toolCalls: [{ name: 'f', arguments: '{"a":1}' }],
    });
    expect(answer.toolCalls[0]?.id).toMatch(/^call_/);
    for (const body of [
      { choices: [] },
      { choices: [{}] },
      'null',
      '[]',
      '"text"',
      '',
      '{"choices":[{"message":{"tool_calls":[{}]}}]}',
    ]) {
      upstream.answerNext({ body });
      await expect(local.complete({ model: 'm', messages: [user('Hi')] }, never)).rejects.toMatchObject({
        code: 'PROVIDER_BAD_RESPONSE',
      });
    }
  });
});

describe('embeddings', () => {
  const texts = ['one', 'two', 'three'];
  it('come back in order, whether as base64 or as numbers', async () => {
    for (const provider of [openai, local]) {
      const answer = await provider.embed!({ model: 'text-embedding-3-small', texts, dimensions: 8 }, never);
      expect(answer.vectors).toEqual(texts.map((text) => mockEmbedding(text, 8)));
      expect(answer.inputTokens).toBe(4);
    }
    expect(upstream.requests.map((request) => request.body['encoding_format'])).toEqual(['base64', 'float']);
    expect(deepseek.embed).toBeUndefined();
  });

  it('are put in order by their index', async () => {
    upstream.answerNext({
      body: {
        data: [
          { index: 1, embedding: [2] },
          { index: 0, embedding: [1] },
        ],
      },
    });
    expect((await local.embed!({ model: 'm', texts: ['a', 'b'] }, never)).vectors).toEqual([
      Float32Array.of(1),
      Float32Array.of(2),
    ]);
  });

  it.each([
    [{ data: [{ embedding: [1, 2] }] }],
    [{ data: [{ embedding: [1, 2] }, { embedding: [1] }] }],
    [{ data: [{ embedding: [1, null] }, { embedding: [1, 'x'] }] }],
    [
      {
        data: [
          { index: 0, embedding: [1] },
          { index: 0, embedding: [1] },
        ],
      },
    ],
    [{ data: [{}, {}] }],
    [{}],
  ])('that are not what was asked for are a bad response: %j', async (body) => {
    upstream.answerNext({ body });
    await expect(local.embed!({ model: 'm', texts: ['a', 'b'] }, never)).rejects.toMatchObject({
      code: 'PROVIDER_BAD_RESPONSE',
    });
  });

  it('fail with the codes of completions', async () => {
    await expect(openai.embed!({ model: 'status-401', texts }, never)).rejects.toMatchObject({
      code: 'PROVIDER_AUTHENTICATION_FAILED',
    });
    const abort = new AbortController();
    const answer = openai.embed!({ model: 'silent', texts }, abort.signal);
    answer.catch(() => undefined);
    await expect.poll(() => upstream.requests.length).toBe(2);
    abort.abort(new Error('left'));
    await expect(answer).rejects.toThrow('left');
  });
});

describe('a local server’s models', () => {
  it('are listed, cached for a while, and asked for once at a time', async () => {
    upstream.setModels(['a', 'b', 'a']);
    const lists = await Promise.all([local.list(), local.list(), local.list()]);
    expect(lists[0]).toMatchObject({ names: ['a', 'b'], reason: null });
    expect(upstream.requests).toHaveLength(1);
    await expect.poll(async () => (upstream.setModels(['c']), (await local.list()).names)).toEqual(['c']);
  });

  it('are given with a reason, and no rejection, when the server is gone or silent', async () => {
    const gone = new LocalProvider({ baseUrl: 'http://127.0.0.1:1/v1', modelsTimeoutMs: 10_000 });
    expect(await gone.list()).toMatchObject({
      names: [],
      reason: expect.stringMatching(/cannot be reached.*LOCAL_LLM_BASE_URL/),
    });
    await gone.close();
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as { port: number };
    const slow = new LocalProvider({ baseUrl: `http://127.0.0.1:${port}/v1`, modelsTimeoutMs: 40 });
    expect(await slow.list()).toMatchObject({ names: [], reason: expect.stringContaining('40 ms') });
    await slow.close();
    silent.close();
  });
});
