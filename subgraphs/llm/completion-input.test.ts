import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AppError } from '#platform/errors.ts';
import { countInputChars, readCompleteInput } from './completion-input.ts';
import type { CompleteInput, MessageInput } from './resolver-types.ts';

const user: MessageInput = { role: 'USER', content: 'Hello.' };
const input = (overrides: Partial<CompleteInput> = {}): CompleteInput => ({
  model: 'gpt-4o',
  messages: [user],
  ...overrides,
});
const png = `data:image/png;base64,${Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex').toString('base64')}`;
const image = (url: unknown, detail?: unknown): MessageInput => ({
  role: 'USER',
  content: [{ type: 'image_url', image_url: { url, detail } }],
});
const tool = (name: string, parameters?: unknown) => ({ type: 'FUNCTION' as const, function: { name, parameters } });

function problemsOf(bad: CompleteInput): string[] {
  try {
    readCompleteInput(bad);
  } catch (error) {
    expect(error).toMatchObject({ code: 'INVALID_INPUT' });
    return ((error as AppError).details ?? []).map(({ path }) => path);
  }
  return [];
}

describe('the input of a completion', () => {
  it('is translated whole', () => {
    const request = readCompleteInput(
      input({
        messages: [
          {
            role: 'SYSTEM',
            content: [
              { type: 'text', text: 'Be ' },
              { type: 'text', text: 'brief.' },
            ],
          },
          {
            role: 'USER',
            content: [
              { type: 'text', text: 'What is it?' },
              { type: 'image_url', image_url: { url: png, detail: 'low' } },
            ],
          },
          {
            role: 'ASSISTANT',
            toolCalls: [{ id: 'call_1', type: 'FUNCTION', function: { name: 'look', arguments: '{' } }],
          },
          { role: 'TOOL', toolCallId: 'call_1', content: '' },
        ],
        tools: [tool('look', { type: 'object' })],
        toolChoice: { type: 'function', function: { name: 'look' } },
        responseFormat: {
          type: 'JSON_SCHEMA',
          jsonSchema: { name: 'answer', schema: { type: 'object' }, strict: true },
        },
        reasoning: { effort: 'LOW' },
        stop: ['END'],
        temperature: 0,
        topP: 1,
        maxTokens: 10,
        providerOptions: { user: 'u', n: 1 },
      }),
    );
    expect(request).toMatchObject({
      messages: [
        { role: 'system', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is it?' },
            { type: 'image_url', image_url: { url: png, detail: 'low' } },
          ],
        },
        { role: 'assistant', content: null, toolCalls: [{ id: 'call_1', name: 'look', arguments: '{' }] },
        { role: 'tool', toolCallId: 'call_1', content: '' },
      ],
      toolChoice: { name: 'look' },
      responseFormat: { type: 'json_schema', name: 'answer', strict: true },
      reasoning: { effort: 'low' },
      temperature: 0,
      providerOptions: { user: 'u', n: 1 },
    });
    expect(countInputChars(request)).toBeGreaterThan(20);
  });

  it.each<[string, Partial<CompleteInput>, string]>([
    ['no messages', { messages: [] }, 'messages'],
    ['an empty message', { messages: [{ role: 'USER', content: ' \n' }] }, 'messages[0].content'],
    ['a message without content', { messages: [{ role: 'USER' }] }, 'messages[0].content'],
    ['no parts', { messages: [{ role: 'USER', content: [] }] }, 'messages[0].content'],
    [
      'parts without text',
      { messages: [{ role: 'USER', content: [{ type: 'text', text: '' }] }] },
      'messages[0].content',
    ],
    ['content of another type', { messages: [{ role: 'USER', content: 5 }] }, 'messages[0].content'],
    [
      'an unknown part',
      { messages: [user, { role: 'USER', content: [{ type: 'audio' }] }] },
      'messages[1].content[0].type',
    ],
    ['a part that is null', { messages: [{ role: 'USER', content: [null] }] }, 'messages[0].content[0].type'],
    [
      'text that is a number',
      { messages: [{ role: 'USER', content: [{ type: 'text', text: 5 }] }] },
      'messages[0].content[0].text',
    ],
    ['NUL', { messages: [{ role: 'USER', content: 'a\0' }] }, 'messages[0].content'],
    ['a lone surrogate', { messages: [{ role: 'USER', content: '\ud800' }] }, 'messages[0].content'],
    ['NUL deep in JSON', { providerOptions: { a: [{ b: '\0' }] } }, 'providerOptions.a[0].b'],
    ['an image of a system', { messages: [{ ...image(png), role: 'SYSTEM' }] }, 'messages[0].content'],
    ['an image over http', { messages: [image('http://example.com/a.png')] }, 'messages[0].content[0].image_url.url'],
    ['an image in a file', { messages: [image('file:///etc/passwd')] }, 'messages[0].content[0].image_url.url'],
    [
      'a picture that is text',
      { messages: [image(`data:image/png;base64,${Buffer.from('hello world, no image').toString('base64')}`)] },
      'messages[0].content[0].image_url.url',
    ],
    ['broken base64', { messages: [image('data:image/png;base64,@@@@')] }, 'messages[0].content[0].image_url.url'],
    [
      'a web page as image',
      { messages: [image('data:text/html;base64,PGI+')] },
      'messages[0].content[0].image_url.url',
    ],
    ['an image without data', { messages: [image('data:image/png;base64,')] }, 'messages[0].content[0].image_url.url'],
    [
      'an image of 11 MiB',
      { messages: [image(`data:image/png;base64,iVBORw0KGgoA${'A'.repeat(15_000_000)}`)] },
      'messages[0].content[0].image_url.url',
    ],
    ['an unknown detail', { messages: [image(png, 'sharp')] }, 'messages[0].content[0].image_url.detail'],
    ['a tool message without its call', { messages: [user, { role: 'TOOL', content: '1' }] }, 'messages[1].toolCallId'],
    ['a call id of a user', { messages: [{ ...user, toolCallId: 'x' }] }, 'messages[0].toolCallId'],
    [
      'tool calls of a user',
      { messages: [{ ...user, toolCalls: [{ id: 'a', type: 'FUNCTION', function: { name: 'b', arguments: '' } }] }] },
      'messages[0].toolCalls',
    ],
    [
      'a made-up provider state',
      { messages: [{ role: 'ASSISTANT', content: 'x', providerState: { provider: 'nobody', value: 1 } }] },
      'messages[0].providerState',
    ],
    ['a name with blanks', { messages: [{ ...user, name: 'a b' }] }, 'messages[0].name'],
    ['a bad model name', { model: 'gpt 4' }, 'model'],
    ['an empty model name', { model: '' }, 'model'],
    ['a bad tool name', { tools: [tool('get weather')] }, 'tools[0].function.name'],
    ['the same tool twice', { tools: [tool('a'), tool('a')] }, 'tools[1].function.name'],
    ['parameters that are no schema', { tools: [tool('a', ['x'])] }, 'tools[0].function.parameters'],
    ['a choice of no tools', { toolChoice: 'required' }, 'toolChoice'],
    ['an unknown tool choice', { tools: [tool('a')], toolChoice: 'maybe' }, 'toolChoice'],
    [
      'the choice of another tool',
      { tools: [tool('a')], toolChoice: { type: 'function', function: { name: 'b' } } },
      'toolChoice.function.name',
    ],
    ['a JSON format without its schema', { responseFormat: { type: 'JSON_SCHEMA' } }, 'responseFormat.jsonSchema'],
    [
      'a schema that is text',
      { responseFormat: { type: 'JSON_SCHEMA', jsonSchema: { name: 'a', schema: 'x' } } },
      'responseFormat.jsonSchema.schema',
    ],
    ['too hot', { temperature: 2.1 }, 'temperature'],
    ['too cold', { temperature: -0.1 }, 'temperature'],
    ['a share above one', { topP: 1.1 }, 'topP'],
    ['no tokens', { maxTokens: 0 }, 'maxTokens'],
    ['no thoughts', { reasoning: { maxTokens: 0 } }, 'reasoning.maxTokens'],
    ['an empty stop', { stop: [''] }, 'stop[0]'],
    ['options that are a list', { providerOptions: [] }, 'providerOptions'],
    ['another model in the options', { providerOptions: { model: 'gpt-5' } }, 'providerOptions.model'],
    ['several choices', { providerOptions: { n: 2 } }, 'providerOptions.n'],
    ['a key with blanks', { idempotencyKey: 'a b' }, 'idempotencyKey'],
    ['a key that is too long', { idempotencyKey: 'x'.repeat(256) }, 'idempotencyKey'],
    ['an empty key', { idempotencyKey: '' }, 'idempotencyKey'],
  ])('is refused for %s', (_, bad, path) => {
    expect(problemsOf(input(bad))).toContain(path);
  });

  it('names all problems at once, but not thousands', () => {
    expect(problemsOf(input({ model: '', temperature: 5, messages: [{ role: 'USER', content: '' }] }))).toEqual([
      'model',
      'messages[0].content',
      'temperature',
    ]);
    expect(
      problemsOf(input({ messages: Array.from({ length: 4_000 }, () => ({ role: 'USER' as const, content: '' })) })),
    ).toHaveLength(50);
  });

  it('fails in no other way, whatever JSON stands where JSON may stand', () => {
    const deep = Array.from({ length: 5_000 }).reduce<unknown>((inner) => [inner], 1);
    expect(problemsOf(input({ providerOptions: { deep } }))).not.toEqual([]);
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), fc.jsonValue(), (content, toolChoice, providerOptions) => {
        problemsOf(
          input({
            messages: [
              { role: 'USER', content },
              { role: 'ASSISTANT', content, providerState: content },
            ],
            toolChoice,
            providerOptions,
          }),
        );
      }),
    );
  });
});
