import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { System, type Layout } from '#test/system.ts';

/** What a confused or hostile client sends, and a provider that misbehaves: a documented code, and the ledger tells. */
export function describeBadInput(layout: Layout): void {
  describe(`bad input and faults (${layout})`, () => {
    let system: System;
    let token: string;
    beforeAll(async () => {
      system = await System.start({
        layout,
        environment: {
          LLM_FIRST_TOKEN_TIMEOUT_MS: '700',
          LLM_BETWEEN_TOKENS_TIMEOUT_MS: '700',
          DEEPSEEK_API_KEY: 'sk-deepseek-secret',
          DEEPSEEK_BASE_URL: 'http://127.0.0.1:9',
        },
      });
      token = await system.token();
    });
    afterAll(() => system?.close());

    const ask = (body: unknown, headers: Record<string, string> = {}) =>
      system.fetch('/internal/llm/proxy', { token, body, headers });
    const message = (content: unknown) => ({ model: 'openai/echo', messages: [{ role: 'user', content }] });
    const outcome = async (response: Response) => {
      const { error } = (await response.json()) as {
        error: { code: string; message: string; details?: { path: string }[]; request_id: string };
      };
      expect(error.request_id).toBe(response.headers.get('x-request-id'));
      return { status: response.status, ...error };
    };

    it.each([
      ['malformed JSON', '{"model": "x", ', 400, 'BAD_REQUEST'],
      ['no body', '', 400, 'BAD_REQUEST'],
      ['a list', '[]', 422, 'INVALID_INPUT'],
      ['no messages', { model: 'openai/echo' }, 422, 'INVALID_INPUT'],
      ['empty messages', { model: 'openai/echo', messages: [] }, 422, 'INVALID_INPUT'],
      ['a wrong type', { ...message('x'), temperature: 'hot' }, 422, 'INVALID_INPUT'],
      ['an unknown field', { ...message('x'), temprature: 1 }, 422, 'INVALID_INPUT'],
      ['an unknown role', { model: 'openai/echo', messages: [{ role: 'wizard', content: 'x' }] }, 422, 'INVALID_INPUT'],
      ['an unknown model', { ...message('x'), model: 'gpt-4o-mimi' }, 404, 'MODEL_NOT_FOUND'],
      ['a NUL', message('a\u0000b'), 422, 'INVALID_INPUT'],
      [
        'a lone surrogate',
        '{"model":"openai/echo","messages":[{"role":"user","content":"\\ud800"}]}',
        422,
        'INVALID_INPUT',
      ],
      [
        'a bad image',
        message([{ type: 'image_url', image_url: { url: 'data:image/png;base64,%%%' } }]),
        422,
        'INVALID_INPUT',
      ],
      [
        'a file as image',
        message([{ type: 'image_url', image_url: { url: 'file:///etc/passwd' } }]),
        422,
        'INVALID_INPUT',
      ],
      ['a foreign microDAO', { ...message('x'), microdao_id: 'microdao:other' }, 404, 'NOT_FOUND'],
      ['an id that is none', { ...message('x'), agent_id: 'sofia' }, 422, 'INVALID_INPUT'],
      ['20 MB', message('x'.repeat(20 * 1024 * 1024)), 413, 'PAYLOAD_TOO_LARGE'],
      [
        'deep JSON',
        `{"model":"openai/echo","messages":[],"provider_options":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`,
        422,
        'INVALID_INPUT',
      ],
    ])('%s', async (_name, body, status, code) => {
      expect(await outcome(await ask(body))).toMatchObject({ status, code });
    });

    it('names the path of what is wrong as the client spelt it', async () => {
      const { details } = await outcome(
        await ask({ model: 'openai/echo', messages: [{ role: 'tool', content: 'x' }], max_tokens: -1 }),
      );
      const paths = details!.map(({ path }) => path);
      expect(paths).toContain('max_tokens');
      expect(paths.some((path) => path.startsWith('messages[0]'))).toBe(true);
    });

    it('names models near a misspelt one', async () => {
      expect((await outcome(await ask({ ...message('x'), model: 'gpt-4o-mimi' }))).message).toContain('gpt-4o-mini');
    });

    it('refuses other content types, methods and routes', async () => {
      expect(
        await outcome(
          await system.fetch('/internal/llm/proxy', {
            token,
            method: 'POST',
            headers: { 'content-type': 'text/plain' },
            body: 'x',
          }),
        ),
      ).toMatchObject({ status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' });
      expect(await outcome(await system.fetch('/internal/llm/proxy', { token }))).toMatchObject({
        status: 405,
        code: 'METHOD_NOT_ALLOWED',
      });
      expect(await outcome(await system.fetch('/internal/nothing', { token }))).toMatchObject({
        status: 404,
        code: 'NOT_FOUND',
      });
    });

    it('refuses tokens that are missing, nonsense, expired or of someone else', async () => {
      const expired = await system.token({ timeToLiveMs: -10_000 });
      const forged = `${token.slice(0, -8)}AAAAAAAA`;
      for (const bad of [undefined, 'nonsense', 'a.b.c', expired, forged]) {
        const response = await system.fetch('/internal/llm/models', bad === undefined ? {} : { token: bad });
        expect(await outcome(response)).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
      }
    });

    it.each([
      ['deep', `{ ${'a { '.repeat(5_000)} x ${'} '.repeat(5_000)} }`],
      ['wide', `{ ${Array.from({ length: 3_000 }, (_, index) => `a${index}: models { nodes { id } }`).join(' ')} }`],
      [
        'fragment bomb',
        `{ ...f0 } ${Array.from({ length: 40 }, (_, index) => `fragment f${index} on Query { ...f${index + 1} ...f${index + 1} }`).join(' ')} fragment f40 on Query { models { nodes { id } } }`,
      ],
      ['circular', '{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }'],
      ['huge', `{ models { nodes { ${'id '.repeat(200_000)} } } }`],
    ])('refuses a %s query at once', async (_name, query) => {
      const startedAt = performance.now();
      const response = await system.fetch('/graphql', { token, body: { query } });
      const { errors } = (await response.json()) as { errors?: { extensions: { code: string } }[] };
      expect(errors?.[0]?.extensions.code).toMatch(
        /^(OPERATION_TOO_COMPLEX|GRAPHQL_VALIDATION_FAILED|PAYLOAD_TOO_LARGE|BAD_REQUEST)$/,
      );
      expect(performance.now() - startedAt).toBeLessThan(5_000);
    });

    it.each([
      ['openai/status-401', 502, 'PROVIDER_AUTHENTICATION_FAILED', 'OPENAI_API_KEY'],
      ['anthropic/status-401', 502, 'PROVIDER_AUTHENTICATION_FAILED', 'ANTHROPIC_API_KEY'],
      ['openai/status-429', 503, 'PROVIDER_RATE_LIMITED', 'OpenAI'],
      ['openai/status-500', 503, 'PROVIDER_UNAVAILABLE', 'OpenAI'],
      ['openai/html', 502, 'PROVIDER_BAD_RESPONSE', 'OpenAI'],
      ['openai/silent', 504, 'PROVIDER_TIMEOUT', 'OpenAI'],
      ['deepseek/deepseek-chat', 503, 'PROVIDER_UNAVAILABLE', 'DeepSeek'],
      ['local/llama', 503, 'PROVIDER_NOT_CONFIGURED', 'LOCAL_LLM_BASE_URL'],
    ])('%s is %i %s', async (model, status, code, named) => {
      const error = await outcome(await ask({ ...message('x'), model }));
      expect(error).toMatchObject({ status, code });
      expect(error.message).toContain(named);
      expect(JSON.stringify(error)).not.toContain('sk-');
    });

    it.each([
      'openai/cut-stream',
      'openai/no-done',
      'openai/malformed-chunk',
      'openai/error-in-stream',
      'openai/stall',
      'anthropic/cut-stream',
      'anthropic/no-done',
    ])('never presents %s as complete', async (model) => {
      const own = await system.token({ microdaoId: `microdao:${model.replace('/', '.')}` });
      const response = await system.fetch('/internal/llm/proxy', {
        token: own,
        body: { ...message('x'), model, stream: true },
      });
      const events = (await response.text())
        .split('\n')
        .filter((line) => line.startsWith('data: {'))
        .map((line) => JSON.parse(line.slice(6)) as { type: string; error?: { code: string } });
      expect(events.map(({ type }) => type)).not.toContain('finished');
      expect(events.at(-1)).toMatchObject({
        type: 'failed',
        error: { code: expect.stringMatching(/^(STREAM_INTERRUPTED|PROVIDER_)/) },
      });
      const { data } = await system.graphql('{ llmRequests { nodes { status errorCode usage { outputTokens } } } }', {
        token: own,
      });
      expect(data.llmRequests.nodes).toMatchObject([{ status: 'FAILED', errorCode: events.at(-1)!.error!.code }]);
      expect(data.llmRequests.nodes[0].usage.outputTokens).toBeGreaterThan(0);
    });

    it('still works, and has printed no key, token or prompt', async () => {
      const response = await ask(message('the prompt nobody may log'));
      expect(response.status).toBe(200);
      await new Promise((resolve) => setTimeout(resolve, 700));
      for (const secret of ['sk-test-openai', 'sk-deepseek-secret', 'sk-ant-test', token, 'the prompt nobody may log'])
        expect(system.output).not.toContain(secret);
    });
  });
}
