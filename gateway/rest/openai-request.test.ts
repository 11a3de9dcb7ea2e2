import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { llmTestResolvers } from './llm-test-resolvers.ts';
import { startRestServer, type RestTestServer } from './rest-test-server.ts';

const llm = llmTestResolvers();
let rest: RestTestServer;
beforeAll(async () => {
  rest = await startRestServer(llm.resolvers);
});
afterAll(() => rest.close());
beforeEach(() => {
  llm.asked.length = 0;
});

const messages = [{ role: 'user', content: 'Hello' }];

async function post(path: string, body: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
  const headers = { authorization: 'Bearer good', 'content-type': 'application/json' };
  const response = await fetch(`${rest.url}/v1${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('a request in OpenAI’s format', () => {
  test('is translated parameter by parameter; what has no name here goes to the provider', async () => {
    await post('/chat/completions', {
      model: 'echo',
      messages: [
        { role: 'developer', content: 'Be brief.' },
        {
          role: 'user',
          name: 'ada',
          content: [
            { type: 'text', text: 'What is it?' },
            { type: 'image_url', image_url: { url: 'https://x/y.png', detail: 'low' } },
          ],
        },
      ],
      max_tokens: 1,
      max_completion_tokens: 2,
      reasoning_effort: 'low',
      stop: 'END',
      seed: 9_007_199_254_740_991,
      n: 1,
      user: 'u1',
      frequency_penalty: 0.5,
      presence_penalty: 0,
      logprobs: false,
      logit_bias: { '50256': -100 },
      top_p: 0.9,
      temperature: null,
      tool_choice: { type: 'function', function: { name: 'get_weather' } },
      parallel_tool_calls: false,
      response_format: { type: 'json_schema', json_schema: { name: 'a', schema: { camelCase: 1 }, strict: true } },
      provider_options: { safe_prompt: true },
      agent_id: 'agent:sofia',
    });
    expect(llm.asked[0]?.input).toEqual({
      model: 'echo',
      messages: [
        { role: 'SYSTEM', content: 'Be brief.' },
        {
          role: 'USER',
          name: 'ada',
          content: [
            { type: 'text', text: 'What is it?' },
            { type: 'image_url', image_url: { url: 'https://x/y.png', detail: 'low' } },
          ],
        },
      ],
      maxTokens: 2,
      reasoning: { effort: 'LOW' },
      stop: ['END'],
      topP: 0.9,
      toolChoice: { type: 'function', function: { name: 'get_weather' } },
      parallelToolCalls: false,
      responseFormat: { type: 'JSON_SCHEMA', jsonSchema: { name: 'a', schema: { camelCase: 1 }, strict: true } },
      providerOptions: {
        user: 'u1',
        frequency_penalty: 0.5,
        logit_bias: { '50256': -100 },
        safe_prompt: true,
        seed: 9_007_199_254_740_991,
      },
      agentId: 'agent:sofia',
    });
  });

  test('may send back whatever an answer’s message held', async () => {
    const echoed = {
      role: 'assistant',
      content: 'Hi',
      refusal: null,
      annotations: [],
      audio: null,
      function_call: null,
      reasoning_content: 'hmm',
      tool_calls: null,
    };
    await post('/chat/completions', {
      model: 'echo',
      messages: [echoed, { role: 'assistant', content: null, refusal: 'I will not.' }],
    });
    expect(llm.asked[0]?.input['messages']).toEqual([
      { role: 'ASSISTANT', content: 'Hi' },
      { role: 'ASSISTANT', content: 'I will not.' },
    ]);
  });

  test.each<[string, object, string, RegExp]>([
    ['several choices', { n: 2 }, 'n', /must be 1/],
    [
      'a limit of the wrong type, by the name it was sent with',
      { max_completion_tokens: 'many' },
      'max_completion_tokens',
      /whole number/,
    ],
    ['an unknown effort, likewise', { reasoning_effort: 'huge' }, 'reasoning_effort', /one of/],
    ['an unknown role', { messages: [{ role: 'robot', content: 'x' }] }, 'messages[0].role', /"assistant"/],
    ['functions of old', { functions: [{ name: 'f' }] }, 'functions', /"tools"/],
    ['a tool of another type', { tools: [{ type: 'custom', custom: { name: 'f' } }] }, 'tools[0].type', /"function"/],
    ['no messages', { messages: undefined }, 'messages', /is required/],
    ['half a surrogate', { messages: [{ role: 'user', content: '\ud800' }] }, 'messages[0].content', /surrogate/],
  ])('is refused for %s', async (_, more, param, message) => {
    const { status, body } = await post('/chat/completions', { model: 'echo', messages, ...more });
    expect(status).toBe(422);
    expect(body['error']).toMatchObject({
      param,
      code: 'invalid_input',
      type: 'invalid_request_error',
      message: expect.stringMatching(message) as string,
    });
    expect(llm.asked).toEqual([]);
  });

  test.each<[string, object, string]>([
    ['token numbers', { input: [1, 2, 3] }, 'input'],
    ['lists of token numbers', { input: [[1], [2]] }, 'input'],
    ['an unknown encoding', { input: 'x', encoding_format: 'hex' }, 'encoding_format'],
    ['a parameter nobody knows', { input: 'x', truncate: true }, 'truncate'],
    ['no input', {}, 'input'],
  ])('for embeddings is refused for %s', async (_, body, param) => {
    const answer = await post('/embeddings', { model: 'any', ...body });
    expect(answer.status).toBe(422);
    expect(answer.body['error']).toMatchObject({ param });
  });

  test('errors of routing have OpenAI’s shape too', async () => {
    const headers = { authorization: 'Bearer good' };
    const unknown = await fetch(`${rest.url}/v1/nothing`, { headers });
    expect([unknown.status, await unknown.json()]).toMatchObject([
      404,
      { error: { code: 'not_found', type: 'invalid_request_error', param: null } },
    ]);
    const wrongMethod = await fetch(`${rest.url}/v1/chat/completions`, { headers });
    expect([wrongMethod.status, wrongMethod.headers.get('allow'), await wrongMethod.json()]).toMatchObject([
      405,
      'POST, OPTIONS',
      { error: { code: 'method_not_allowed' } },
    ]);
  });
});
