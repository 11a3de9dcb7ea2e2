import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startMockUpstream, type MockUpstream } from '#test/mock-upstream/server.ts';
import { AnthropicProvider } from './anthropic.ts';
import type { ChatMessage, ProviderEvent, ProviderRequest } from './provider.ts';

const never = new AbortController().signal;
const user = (content: string) => ({ role: 'user', content }) as const;
const png = 'iVBORw0KGgo=';

let upstream: MockUpstream;
let provider: AnthropicProvider;
beforeAll(async () => {
  upstream = await startMockUpstream();
  provider = new AnthropicProvider({
    apiKey: 'key',
    baseUrl: upstream.url,
    outputTokensMax: (model) => (model === 'claude-haiku-4-5' ? 64_000 : undefined),
  });
});
afterAll(async () => {
  await provider.close();
  await upstream.close();
});
beforeEach(() => upstream.reset());

const sent = async (request: Partial<ProviderRequest>): Promise<Record<string, unknown>> => {
  await provider.complete({ model: 'echo', messages: [user('Hi')], ...request }, never);
  return upstream.requests.at(-1)!.body;
};
const turns = async (...messages: ChatMessage[]): Promise<unknown> => (await sent({ messages }))['messages'];
const event = (data: { type: string; [key: string]: unknown }): string =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
const collect = async (body: string): Promise<ProviderEvent[]> => {
  upstream.answerNext({ body });
  const events: ProviderEvent[] = [];
  for await (const item of provider.stream({ model: 'm', messages: [user('Hi')] }, never)) events.push(item);
  return events;
};
const start = (usage: object = { input_tokens: 10, output_tokens: 1 }) =>
  event({ type: 'message_start', message: { model: 'm-1', content: [], usage } });
const stop = (reason: string, rest: object = {}, usage: object = { output_tokens: 5 }) =>
  event({ type: 'message_delta', delta: { stop_reason: reason, ...rest }, usage }) + event({ type: 'message_stop' });

describe('Anthropic’s messages', () => {
  it('put system messages at the start into blocks of `system`, and later ones where they stand', async () => {
    const body = await sent({
      messages: [
        { role: 'system', content: 'One.' },
        { role: 'system', content: 'Two.' },
        user('Hi'),
        { role: 'system', content: 'Three.' },
        { role: 'assistant', content: 'Yes.' },
      ],
    });
    expect(body['system']).toEqual([
      { type: 'text', text: 'One.' },
      { type: 'text', text: 'Two.' },
    ]);
    expect(body['messages']).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Hi' },
          { type: 'text', text: '[System message]\nThree.' },
        ],
      },
      { role: 'assistant', content: [{ type: 'text', text: 'Yes.' }] },
    ]);
  });

  it('merge neighbours of a role, and group tool results into one turn with what the user says next', async () => {
    expect(
      await turns(
        user('One'),
        { role: 'user', content: 'Two', name: 'Anna' },
        {
          role: 'assistant',
          content: 'Calling.',
          toolCalls: [
            { id: 'a', name: 'f', arguments: '{"x":1}' },
            { id: 'b', name: 'f', arguments: '' },
            { id: 'c', name: 'f', arguments: '{"broken' },
          ],
        },
        { role: 'tool', toolCallId: 'a', content: 'A' },
        { role: 'tool', toolCallId: 'b', content: 'B' },
        { role: 'tool', toolCallId: 'c', content: 'C' },
        user('And?'),
      ),
    ).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'One' },
          { type: 'text', text: 'Anna: Two' },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'Calling.' },
          { type: 'tool_use', id: 'a', name: 'f', input: { x: 1 } },
          { type: 'tool_use', id: 'b', name: 'f', input: {} },
          { type: 'tool_use', id: 'c', name: 'f', input: { INVALID_JSON: '{"broken' } },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'a', content: 'A' },
          { type: 'tool_result', tool_use_id: 'b', content: 'B' },
          { type: 'tool_result', tool_use_id: 'c', content: 'C' },
          { type: 'text', text: 'And?' },
        ],
      },
    ]);
  });

  it('carry images by address and as data', async () => {
    const image = (url: string): ChatMessage => ({
      role: 'user',
      content: [
        { type: 'text', text: 'See' },
        { type: 'image_url', image_url: { url } },
      ],
    });
    expect(await turns(image('https://example.org/cat.png'))).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'See' },
          { type: 'image', source: { type: 'url', url: 'https://example.org/cat.png' } },
        ],
      },
    ]);
    expect(await turns(image(`data:image/png;base64,${png}`))).toMatchObject([
      { content: [{}, { source: { type: 'base64', media_type: 'image/png', data: png } }] },
    ]);
    await expect(turns(image('data:image/svg+xml;base64,PHN2Zz4='))).rejects.toMatchObject({
      code: 'UNSUPPORTED_BY_MODEL',
      message: expect.stringContaining('image/png'),
    });
  });

  it('tell for whom they are in Anthropic’s words, when an OpenAI client says it in its own', async () => {
    const body = await sent({ messages: [user('Hi')], providerOptions: { user: 'user-7', service_tier: 'auto' } });
    expect(body).toMatchObject({ metadata: { user_id: 'user-7' }, service_tier: 'auto' });
    expect(body).not.toHaveProperty('user');
  });

  it('set a limit from the catalogue when the request has none', async () => {
    expect(await sent({})).toMatchObject({ max_tokens: 8192 });
    expect(await sent({ model: 'claude-haiku-4-5' })).toMatchObject({ max_tokens: 64_000 });
    expect(await sent({ model: 'claude-haiku-4-5', maxTokens: 5 })).toMatchObject({ max_tokens: 5 });
  });

  it('say tools, stop sequences, JSON schemas and serial tool calls in Anthropic’s words', async () => {
    const schema = { type: 'object', properties: { a: { type: 'string' } } };
    const body = await sent({
      tools: [{ name: 'f', description: 'd', parameters: schema, strict: true }, { name: 'g' }],
      parallelToolCalls: false,
      responseFormat: { type: 'json_schema', name: 'r', schema },
      stop: ['END'],
      temperature: 0.5,
      topP: 0.9,
    });
    expect(body).toMatchObject({
      tools: [
        { name: 'f', description: 'd', input_schema: schema, strict: true },
        { name: 'g', input_schema: { type: 'object' } },
      ],
      tool_choice: { type: 'auto', disable_parallel_tool_use: true },
      output_config: { format: { type: 'json_schema', schema } },
      stop_sequences: ['END'],
      temperature: 0.5,
      top_p: 0.9,
    });
    expect(await sent({ tools: [{ name: 'g' }], toolChoice: 'required', parallelToolCalls: false })).toMatchObject({
      tool_choice: { type: 'any', disable_parallel_tool_use: true },
    });
  });

  it('think by an effort, older models by a number of tokens below the limit', async () => {
    expect(await sent({ model: 'claude-opus-4-8', reasoning: { effort: 'high' } })).toMatchObject({
      thinking: { type: 'adaptive' },
      output_config: { effort: 'high' },
    });
    expect(await sent({ model: 'claude-sonnet-5', reasoning: { effort: 'none' } })).toMatchObject({
      thinking: { type: 'disabled' },
    });
    expect(await sent({ model: 'claude-haiku-4-5', reasoning: { effort: 'medium' } })).toMatchObject({
      thinking: { type: 'enabled', budget_tokens: 8192 },
    });
    expect(
      await sent({ model: 'claude-sonnet-4-20250514', reasoning: { effort: 'high' }, maxTokens: 4000 }),
    ).toMatchObject({ thinking: { budget_tokens: 3999 } });
    expect(await sent({ model: 'claude-opus-4-7', reasoning: { maxTokens: 2000 } })).toMatchObject({
      thinking: { type: 'enabled', budget_tokens: 2000 },
    });
  });

  it.each([
    [{ seed: 1 }, 'seed'],
    [{ temperature: 1.5 }, 'temperature'],
    [{ responseFormat: { type: 'json_object' } }, 'responseFormat'],
    [{ reasoning: { effort: 'minimal' } }, 'reasoning.effort'],
    [{ reasoning: { maxTokens: 100 } }, 'reasoning.maxTokens'],
    [{ reasoning: { maxTokens: 2000 }, maxTokens: 500 }, 'maxTokens'],
    [
      {
        messages: [
          {
            role: 'user',
            content: [{ type: 'image_url', image_url: { url: 'https://example.org/a.png', detail: 'high' } }],
          },
        ],
      },
      'messages[0].content',
    ],
  ] as const)('refuse %j by its name, and send nothing', async (request, path) => {
    await expect(sent(request)).rejects.toMatchObject({ code: 'UNSUPPORTED_BY_MODEL', details: [{ path }] });
    expect(upstream.requests).toHaveLength(0);
  });
});

describe('Anthropic’s answers', () => {
  it('give signed thoughts as state, which comes back before the text and calls, from other providers not', async () => {
    upstream.setBehaviour('thinker', {
      reasoning: 'Let me think.',
      text: 'I call.',
      toolCalls: [{ id: 't', name: 'f', arguments: '{"a":1}' }],
    });
    const request: ProviderRequest = { model: 'thinker', messages: [user('Hi')], tools: [{ name: 'f' }] };
    const whole = await provider.complete(request, never);
    const thinking = { type: 'thinking', thinking: 'Let me think.', signature: 'c2lnbmVkLWJ5LW1vY2s=' };
    expect(whole.providerState).toEqual({ provider: 'anthropic', value: { thinking: [thinking] } });
    const events: ProviderEvent[] = [];
    for await (const item of provider.stream(request, never)) events.push(item);
    expect(events.at(-1)).toMatchObject({ type: 'finish', providerState: whole.providerState });
    const assistant: ChatMessage = {
      role: 'assistant',
      content: whole.content,
      toolCalls: whole.toolCalls,
      providerState: structuredClone(whole.providerState),
    };
    expect(await turns(user('Hi'), assistant, { role: 'tool', toolCallId: 't', content: '1' })).toMatchObject([
      {},
      {
        role: 'assistant',
        content: [thinking, { type: 'text', text: 'I call.' }, { type: 'tool_use', id: 't', input: { a: 1 } }],
      },
      {},
    ]);
    const foreign: ChatMessage = {
      ...assistant,
      toolCalls: [],
      providerState: { provider: 'deepseek', value: { thinking: [thinking] } },
    };
    expect(await turns(user('Hi'), foreign)).toEqual([
      { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
      { role: 'assistant', content: [{ type: 'text', text: 'I call.' }] },
    ]);
    const broken: ChatMessage = {
      ...foreign,
      providerState: { provider: 'anthropic', value: { thinking: ['x', null], content: 7 } },
    };
    expect(await turns(user('Hi'), broken)).toHaveLength(2);
  });

  it('return whole where thoughts stand between calls, or the turn was paused', async () => {
    const content = [
      { type: 'text', text: 'a' },
      { type: 'redacted_thinking', data: 'xyz' },
      { type: 'tool_use', id: 't', name: 'f', input: {} },
    ];
    upstream.answerNext({
      body: { model: 'm', content, stop_reason: 'tool_use', usage: { input_tokens: 1, output_tokens: 1 } },
    });
    const answer = await provider.complete({ model: 'm', messages: [user('Hi')] }, never);
    expect(answer.providerState).toEqual({ provider: 'anthropic', value: { content } });
    expect(
      await turns(user('Hi'), {
        role: 'assistant',
        content: answer.content,
        toolCalls: answer.toolCalls,
        providerState: answer.providerState,
      }),
    ).toMatchObject([{}, { content }]);
    const server = { type: 'server_tool_use', id: 's', name: 'web_search', input: { q: 1 } };
    const events = await collect(
      start() +
        event({ type: 'content_block_start', index: 0, content_block: { ...server, input: {} } }) +
        event({ type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: '{"q":1}' } }) +
        event({ type: 'content_block_stop', index: 0 }) +
        stop('pause_turn'),
    );
    expect(events.at(-1)).toMatchObject({
      type: 'finish',
      reason: 'stop',
      providerState: { value: { content: [server] } },
    });
    expect(events.some((item) => item.type === 'tool_call')).toBe(false);
  });

  it('count cached tokens inside, replace totals, and keep what later events leave out', async () => {
    const events = await collect(
      start({ input_tokens: 10, cache_read_input_tokens: 80, cache_creation_input_tokens: 5, output_tokens: 1 }) +
        event({ type: 'message_delta', delta: {}, usage: { input_tokens: null, output_tokens: 20 } }) +
        stop('end_turn', {}, { output_tokens: 50, output_tokens_details: { thinking_tokens: 30 } }),
    );
    const usages = events.filter((item) => item.type === 'usage').map((item) => item.usage);
    expect(usages[0]).toEqual({ inputTokens: 95, outputTokens: 1, cachedInputTokens: 80, reasoningTokens: 0 });
    expect(usages.at(-1)).toEqual({ inputTokens: 95, outputTokens: 50, cachedInputTokens: 80, reasoningTokens: 30 });
  });

  it.each([
    ['end_turn', 'stop'],
    ['stop_sequence', 'stop'],
    ['max_tokens', 'length'],
    ['model_context_window_exceeded', 'length'],
    ['refusal', 'content_filter'],
    ['pause_turn', 'stop'],
    ['tool_use', 'tool_calls'],
  ])('end for %s as %s', async (reason, ours) => {
    expect((await collect(start() + stop(reason))).at(-1)).toMatchObject({
      type: 'finish',
      reason: ours,
      model: 'm-1',
    });
    upstream.answerNext({ body: { model: 'm', content: [], stop_reason: reason } });
    expect(await provider.complete({ model: 'm', messages: [user('Hi')] }, never)).toMatchObject({
      finishReason: ours,
      usage: null,
    });
  });

  it('tell a refusal in the model’s own words', async () => {
    const details = { stop_details: { type: 'refusal', category: null, explanation: 'Not this.' } };
    expect(await collect(start() + stop('refusal', details))).toContainEqual({ type: 'refusal', text: 'Not this.' });
    upstream.answerNext({ body: { model: 'm', content: [], stop_reason: 'refusal', ...details } });
    expect((await provider.complete({ model: 'm', messages: [user('Hi')] }, never)).refusal).toBe('Not this.');
  });

  it('call tools without arguments with an empty object, and pass over unknown events', async () => {
    const events = await collect(
      start() +
        event({ type: 'something_new', data: 1 }) +
        event({
          type: 'content_block_start',
          index: 3,
          content_block: { type: 'tool_use', id: 't', name: 'f', input: {} },
        }) +
        event({ type: 'content_block_delta', index: 3, delta: { type: 'input_json_delta', partial_json: '' } }) +
        event({ type: 'content_block_stop', index: 3 }) +
        stop('tool_use'),
    );
    expect(events.filter((item) => item.type === 'tool_call')).toEqual([
      { type: 'tool_call', index: 0, id: 't', name: 'f', arguments: '' },
      { type: 'tool_call', index: 0, arguments: '{}' },
    ]);
  });

  it('are a bad response where they are not Anthropic’s protocol', async () => {
    await expect(
      collect(start() + event({ type: 'content_block_delta', index: 9, delta: { type: 'text_delta', text: 'x' } })),
    ).rejects.toMatchObject({ code: 'PROVIDER_BAD_RESPONSE' });
    for (const body of ['{}', '[]', 'null', '{"content":"text"}', '{"content":[{"type":"tool_use"}]}']) {
      upstream.answerNext({ body });
      await expect(provider.complete({ model: 'm', messages: [user('Hi')] }, never)).rejects.toMatchObject({
        code: 'PROVIDER_BAD_RESPONSE',
      });
    }
  });

  it('carry errors inside a stream, with their own code when nothing came before', async () => {
    const error = (type: string, message: string) => event({ type: 'error', error: { type, message } });
    await expect(collect(error('rate_limit_error', 'Slow down'))).rejects.toMatchObject({
      code: 'PROVIDER_RATE_LIMITED',
    });
    await expect(collect(start() + error('overloaded_error', 'Overloaded'))).rejects.toMatchObject({
      code: 'STREAM_INTERRUPTED',
      message: expect.stringContaining('Overloaded'),
    });
  });
});
