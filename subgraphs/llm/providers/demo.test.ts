import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DemoProvider } from './demo.ts';
import { instanceOf } from './demo-schema.ts';
import type { ProviderEvent, ProviderRequest } from './provider.ts';

const demo = new DemoProvider({ wordDelayMs: 0 });
const never = new AbortController().signal;
const user = (content: string) => ({ role: 'user', content }) as const;
const ask = (request: Omit<ProviderRequest, 'model'>) => demo.complete({ model: 'demo', ...request }, never);
const weather = {
  name: 'get_weather',
  parameters: {
    type: 'object',
    properties: {
      city: { type: 'string' },
      days: { type: 'integer', minimum: 1, maximum: 7 },
      unit: { enum: ['celsius', 'kelvin'] },
    },
    required: ['city', 'days', 'unit'],
  },
};

describe('the demo model', () => {
  it('says that it is the demo model', async () => {
    expect((await ask({ messages: [user('Hello!')] })).content).toMatch(/^I am the demo model.*Hello!$/);
  });

  it('gives the same answer to the same request, whole and streamed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme', maxLength: 400 }),
        fc.option(fc.integer({ min: 1, max: 200 }), { nil: undefined }),
        async (text, maxTokens) => {
          const request: ProviderRequest = { model: 'demo', messages: [user(text)], maxTokens };
          const whole = await demo.complete(request, never);
          const events: ProviderEvent[] = [];
          for await (const event of demo.stream(request, never)) events.push(event);
          expect(events.map((event) => (event.type === 'text' ? event.text : '')).join('')).toBe(whole.content);
          expect(events.at(-1)).toMatchObject({ type: 'finish', reason: whole.finishReason });
          expect(events.at(-2)).toEqual({ type: 'usage', usage: whole.usage });
          if (maxTokens !== undefined) expect(whole.usage?.outputTokens).toBeLessThanOrEqual(maxTokens);
        },
      ),
    );
  });

  it('answers a question from the context it was given', async () => {
    const system = {
      role: 'system',
      content: 'You guide visitors. The museum opens at nine. The library closes at six. Tickets cost 5 euro.',
    } as const;
    expect((await ask({ messages: [system, user('When does the library close?')] })).content).toBe(
      'I am the demo model. From what I was given: The library closes at six.',
    );
    expect((await ask({ messages: [system, user('How much are the tickets?')] })).content).toContain(
      'Tickets cost 5 euro.',
    );
    expect(
      (
        await ask({
          messages: [user('My name is Anna.'), { role: 'assistant', content: 'Hello.' }, user('What is my name?')],
        })
      ).content,
    ).toContain('Anna');
    expect(
      (await ask({ messages: [user('Context: The code is 4711.\n\nQuestion: What is the code?')] })).content,
    ).toContain('4711');
    expect((await ask({ messages: [system, user('Who painted the ceiling?')] })).content).toContain('You said');
  });

  it('calls the tool that the last user message names, with arguments from its words', async () => {
    const answer = await ask({
      messages: [user('Please use get_weather for Kyiv, 3 days, in kelvin.')],
      tools: [weather],
    });
    expect(answer).toMatchObject({ content: null, finishReason: 'tool_calls' });
    expect(answer.toolCalls).toHaveLength(1);
    expect(answer.toolCalls[0]?.name).toBe('get_weather');
    expect(JSON.parse(answer.toolCalls[0]?.arguments ?? '')).toEqual({ city: 'Kyiv', days: 3, unit: 'kelvin' });
    expect((await ask({ messages: [user('Nice weather, is it not?')], tools: [weather] })).toolCalls).toEqual([]);
    expect(
      (await ask({ messages: [user('Use get_weather')], tools: [weather], toolChoice: 'none' })).toolCalls,
    ).toEqual([]);
  });

  it('obeys the tool choice, and reads the result instead of calling again', async () => {
    for (const toolChoice of ['required', { name: 'get_weather' }] as const) {
      const call = (await ask({ messages: [user('Lviv?')], tools: [weather], toolChoice })).toolCalls[0];
      expect(call?.name).toBe('get_weather');
      const messages = [
        user('Lviv?'),
        { role: 'assistant', content: null, toolCalls: [call!] } as const,
        { role: 'tool', toolCallId: call!.id, content: '21 °C' } as const,
      ];
      expect(await ask({ messages, tools: [weather], toolChoice: { name: 'get_weather' } })).toMatchObject({
        content: 'I am the demo model. The tool get_weather answered: 21 °C',
        finishReason: 'stop',
      });
    }
    await expect(ask({ messages: [user('x')], tools: [weather], toolChoice: { name: 'other' } })).rejects.toMatchObject(
      { code: 'PROVIDER_REJECTED' },
    );
  });

  it('calls several named tools at once, or one after the other where parallel calls are off', async () => {
    const tools = [weather, { name: 'search_memories' }];
    const messages = [user('Use get_weather and search_memories.')];
    expect((await ask({ messages, tools })).toolCalls.map((call) => call.name)).toEqual([
      'get_weather',
      'search_memories',
    ]);
    const first = (await ask({ messages, tools, parallelToolCalls: false })).toolCalls;
    expect(first.map((call) => call.name)).toEqual(['get_weather']);
    const next = [
      ...messages,
      { role: 'assistant', content: null, toolCalls: first } as const,
      { role: 'tool', toolCallId: first[0]!.id, content: 'ok' } as const,
    ];
    expect((await ask({ messages: next, tools, parallelToolCalls: false })).toolCalls.map((call) => call.name)).toEqual(
      ['search_memories'],
    );
  });

  it('stops at stop sequences and at max tokens', async () => {
    expect(await ask({ messages: [user('one STOP two')], stop: ['STOP'] })).toMatchObject({
      content: expect.stringMatching(/one $/),
      finishReason: 'stop',
    });
    expect(await ask({ messages: [user('hi')], maxTokens: 3 })).toMatchObject({
      content: 'I am the dem',
      finishReason: 'length',
    });
  });

  it('answers in JSON when asked to', async () => {
    const object = await ask({ messages: [user('hi')], responseFormat: { type: 'json_object' } });
    expect(JSON.parse(object.content ?? '')).toMatchObject({ model: 'demo' });
    const schema = {
      type: 'object',
      properties: { age: { type: 'integer' }, email: { type: 'string', format: 'email' } },
      required: ['age', 'email'],
    };
    const person = await ask({
      messages: [user('Anna, 31, anna@example.org')],
      responseFormat: { type: 'json_schema', name: 'person', schema },
    });
    expect(JSON.parse(person.content ?? '')).toEqual({ age: 31, email: 'anna@example.org' });
  });

  it('stops streaming at once when the signal is aborted', async () => {
    const slow = new DemoProvider({ wordDelayMs: 60_000 });
    const abort = new AbortController();
    const events: ProviderEvent[] = [];
    const reading = (async () => {
      for await (const event of slow.stream({ model: 'demo', messages: [user('a b c')] }, abort.signal)) {
        events.push(event);
        setTimeout(() => abort.abort(new Error('left')), 10);
      }
    })();
    await expect(reading).rejects.toThrow('left');
    expect(events).toHaveLength(1);
  });
});

describe('an instance of a schema', () => {
  it('follows references, choices, constants and bounds, also where a schema contains itself', () => {
    const tree = {
      type: 'object',
      properties: {
        kind: { const: 'node' },
        size: { type: 'integer', minimum: 5, multipleOf: 3 },
        next: { $ref: '#' },
        either: { anyOf: [{ type: 'null' }, { type: 'boolean' }] },
      },
      required: ['kind', 'size', 'next', 'either'],
    };
    expect(instanceOf(tree, 'x')).toMatchObject({ kind: 'node', size: 6, either: true, next: { kind: 'node' } });
    expect(
      instanceOf(
        {
          $ref: '#/$defs/a',
          $defs: { a: { type: 'array', minItems: 2, items: { type: 'string', minLength: 4, maxLength: 5 } } },
        },
        'hello world',
      ),
    ).toEqual(['hello', 'hello']);
  });

  it('takes values that the text states by name or as JSON', () => {
    const schema = {
      type: 'object',
      properties: { title: { type: 'string' }, priority: { enum: ['low', 'high'] }, done: { type: 'boolean' } },
      required: ['title'],
    };
    expect(instanceOf(schema, 'title: "Buy milk", priority = high, done: false')).toEqual({
      title: 'Buy milk',
      priority: 'high',
      done: false,
    });
    expect(instanceOf({ allOf: [{ $ref: '#' }] }, 'x')).toEqual({});
    expect(instanceOf(schema, 'call it with {"title": "Milk", "done": true}')).toEqual({ title: 'Milk', done: true });
  });

  it('never breaks on a schema', () => {
    fc.assert(
      fc.property(
        fc.object({
          key: fc.constantFrom(
            'type',
            'properties',
            'required',
            'items',
            'enum',
            'anyOf',
            'allOf',
            '$ref',
            'minItems',
            'a',
          ),
          maxDepth: 4,
        }),
        fc.string(),
        (schema, text) => {
          expect(() => JSON.stringify(instanceOf(schema, text))).not.toThrow();
        },
      ),
      { numRuns: 500 },
    );
  });
});
