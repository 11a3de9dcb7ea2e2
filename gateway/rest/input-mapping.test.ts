import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { buildSchema, type GraphQLInputType } from 'graphql';
import { describe, expect, test } from 'vitest';
import { compileInput } from './input-mapping.ts';
import { InputReading } from './input-path.ts';

const source = readFileSync(new URL('../../schema/llm.graphql', import.meta.url), 'utf8').replace(
  /^extend schema.*$/m,
  '',
);
const schema = buildSchema(source, { assumeValidSDL: true });
const read = compileInput(schema.getType('CompleteInput') as GraphQLInputType);

function reading(value: unknown): { result: unknown; problems: Record<string, string> } {
  const at = new InputReading();
  const result = read(value, at);
  return { result, problems: Object.fromEntries(at.problems.map(({ path, reason }) => [path, reason])) };
}

const valid = { model: 'demo', messages: [{ role: 'user', content: 'Hello' }] };

describe('a body is read into the operation’s input', () => {
  test('names and enums become GraphQL’s, in nested objects and lists too', () => {
    const { result, problems } = reading({
      model: 'demo',
      max_tokens: 5,
      messages: [
        { role: 'assistant', tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }] },
      ],
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'n', schema: { additional_properties: false, maxLength: 1 } },
      },
    });
    expect(problems).toEqual({});
    expect(result).toEqual({
      model: 'demo',
      maxTokens: 5,
      messages: [
        { role: 'ASSISTANT', toolCalls: [{ id: 'a', type: 'FUNCTION', function: { name: 'f', arguments: '{}' } }] },
      ],
      responseFormat: {
        type: 'JSON_SCHEMA',
        jsonSchema: { name: 'n', schema: { additional_properties: false, maxLength: 1 } },
      },
    });
  });

  test('the inside of JSON scalars is the client’s own', () => {
    const options = { snake_case: 1, camelCase: { Deep_Key: ['USER'] } };
    expect(reading({ ...valid, provider_options: options }).result).toMatchObject({ providerOptions: options });
  });

  test('enums are read in any case', () => {
    expect(reading({ ...valid, messages: [{ role: 'User', content: 'x' }] }).result).toMatchObject({
      messages: [{ role: 'USER' }],
    });
  });

  test('one text stands for a list of it', () => {
    expect(reading({ ...valid, stop: 'END' }).result).toMatchObject({ stop: ['END'] });
  });

  test('null is null, where null is allowed', () => {
    expect(reading({ ...valid, temperature: null })).toEqual({
      result: { model: 'demo', messages: [{ role: 'USER', content: 'Hello' }], temperature: null },
      problems: {},
    });
  });
});

describe('what does not fit is refused with its path in the client’s spelling', () => {
  test('every problem at once', () => {
    const { problems } = reading({
      model: 5,
      messages: [
        { role: 'robot', content: 'x' },
        'hello',
        { content: 'x', tool_calls: [{ type: 'function', function: {} }] },
      ],
      max_tokens: 1.5,
      seed: 2_147_483_648,
      temperature: '0.5',
      parallel_tool_calls: 'yes',
      tools: { type: 'function' },
    });
    expect(problems).toEqual({
      model: 'must be a string, not a number',
      'messages[0].role': 'must be one of "system", "user", "assistant", "tool"',
      'messages[1]': 'must be an object, not a string',
      'messages[2].role': 'is required',
      'messages[2].tool_calls[0].id': 'is required',
      'messages[2].tool_calls[0].function.name': 'is required',
      'messages[2].tool_calls[0].function.arguments': 'is required',
      max_tokens: 'must be a whole number, not 1.5',
      seed: 'must lie between -2147483648 and 2147483647',
      temperature: 'must be a number, not a string',
      parallel_tool_calls: 'must be true or false, not a string',
      tools: 'must be a list, not an object',
    });
  });

  test('required fields that are missing or null', () => {
    expect(reading({}).problems).toEqual({ model: 'is required', messages: 'is required' });
    expect(reading({ ...valid, model: null }).problems).toEqual({ model: 'is required and must not be null' });
  });

  test('unknown names, with the nearest known one', () => {
    expect(reading({ ...valid, maxTokens: 5 }).problems).toEqual({
      maxTokens: 'is not a known field; did you mean "max_tokens"?',
    });
  });

  test.each([[[]], ['text'], [5], [true]])('a body that is no object: %j', (body) => {
    expect(reading(body).problems['']).toMatch(/^must be an object, not a/);
  });

  test('text that PostgreSQL cannot store, also inside JSON and in its names', () => {
    const content = [{ type: 'text', text: 'half \ud800' }];
    expect(
      reading({ ...valid, model: 'a\0b', messages: [{ role: 'user', content }], provider_options: { 'a\0': 1 } })
        .problems,
    ).toEqual({
      model: 'must not contain the character U+0000',
      'messages[0].content[0].text': 'must be well-formed Unicode: it contains half of a surrogate pair',
      'provider_options["a\\u0000"]': 'the name must not contain the character U+0000',
    });
  });

  test('JSON nested deeper than anybody needs, without following it down', () => {
    const deep = JSON.parse('['.repeat(10_000) + ']'.repeat(10_000)) as unknown;
    expect(Object.values(reading({ ...valid, provider_options: { deep } }).problems)).toEqual([
      'must not be nested deeper than 128 levels',
    ]);
    expect(reading({ ...valid, messages: deep }).problems['messages[0]']).toBe('must be an object, not a list');
  });

  test('names of JavaScript’s own are unknown fields and change no prototype', () => {
    const body = JSON.parse(
      '{"model":"demo","messages":[],"__proto__":{"admin":true},"constructor":1,"toString":2}',
    ) as unknown;
    const { result, problems } = reading(body);
    expect(Object.keys(problems)).toEqual(['__proto__', 'constructor', 'toString']);
    expect((result as { admin?: unknown }).admin).toBeUndefined();
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
  });

  test('a body of many mistakes costs little and names the first of them', () => {
    const body = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`field_${index}`, index]));
    const at = new InputReading();
    read(body, at);
    expect(at.problems).toHaveLength(50);
  });
});

test('no JSON whatsoever makes the reader throw', () => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.constantFrom('messages', 'tools', 'model', 'response_format', 'stop'),
      (value, field) => {
        const at = new InputReading();
        read(value, at);
        read({ ...valid, [field]: value }, at);
      },
    ),
  );
});
