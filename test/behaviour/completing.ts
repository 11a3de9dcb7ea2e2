import { createClient as createWsClient } from 'graphql-ws';
import { createClient as createSseClient } from 'graphql-sse';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { System, type Layout } from '#test/system.ts';

const completionSubscription = /* GraphQL */ `
  subscription ($input: CompleteInput!) {
    completion(input: $input) {
      type
      ... on CompletionStarted {
        id
        model
        provider
        requestId
      }
      ... on CompletionText {
        text
      }
      ... on CompletionToolCall {
        index
        id
        name
        arguments
      }
      ... on CompletionFinished {
        finishReason
        usage {
          inputTokens
          outputTokens
          costUsd
          estimated
        }
      }
      ... on CompletionFailed {
        error {
          code
          message
          retryable
        }
        usage {
          outputTokens
        }
      }
    }
  }
`;

/** Everything a client does with a model, through every door of the gateway. */
export function describeCompleting(layout: Layout): void {
  describe(`completing (${layout})`, () => {
    let system: System;
    let token: string;
    let openai: OpenAI;
    beforeAll(async () => {
      system = await System.start({ layout });
      token = await system.token({ role: 'service' });
      openai = new OpenAI({
        baseURL: `${system.url}/v1`,
        apiKey: token,
        maxRetries: 0,
        defaultHeaders: { 'x-agent-id': 'agent:sofia' },
      });
    });
    afterAll(() => system?.close());
    beforeEach(() => system.mock.reset());

    const input = (model: string, more: object = {}) => ({
      model,
      messages: [{ role: 'USER', content: 'Say hello.' }],
      ...more,
    });

    it('answers GraphQL, with model, provider, usage and cost', async () => {
      const { data, errors } = await system.graphql(
        `mutation ($input: CompleteInput!) { complete(input: $input) { id model provider message { role content } finishReason usage { inputTokens outputTokens costUsd } } }`,
        { token, variables: { input: input('openai/gpt-4o-mini', { agentId: 'agent:sofia' }) } },
      );
      expect(errors).toBeUndefined();
      expect(data.complete).toMatchObject({
        provider: 'openai',
        model: 'gpt-4o-mini',
        message: { role: 'ASSISTANT', content: 'Hello from gpt-4o-mini.' },
        finishReason: 'STOP',
      });
      expect(data.complete.usage.costUsd).toBeGreaterThan(0);
    });

    it('streams over graphql-ws', async () => {
      const client = createWsClient({
        url: `${system.url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        connectionParams: { authorization: `Bearer ${token}` },
        retryAttempts: 0,
      });
      const events: any[] = [];
      for await (const result of client.iterate({
        query: completionSubscription,
        variables: { input: input('openai/stream-100-tokens') },
      })) {
        expect(result.errors).toBeUndefined();
        events.push((result.data as any).completion);
      }
      await client.dispose();
      expect(events.map(({ type }) => type)).toEqual(['STARTED', ...Array<string>(100).fill('TEXT'), 'FINISHED']);
      expect(events.at(-1).usage.outputTokens).toBe(100);
    });

    it('streams over graphql-sse', async () => {
      const client = createSseClient({
        url: `${system.url}/graphql`,
        headers: { authorization: `Bearer ${token}` },
        retryAttempts: 0,
      });
      const types: string[] = [];
      for await (const result of client.iterate({
        query: completionSubscription,
        variables: { input: input('anthropic/stream-100-tokens') },
      })) {
        types.push((result.data as any).completion.type);
      }
      client.dispose();
      expect(types).toEqual(['STARTED', ...Array<string>(100).fill('TEXT'), 'FINISHED']);
    });

    it('streams over REST until [DONE]', async () => {
      const response = await system.fetch('/internal/llm/proxy', {
        token,
        body: {
          model: 'openai/echo',
          messages: [{ role: 'user', content: 'one two three' }],
          stream: true,
          agent_id: 'agent:sofia',
          microdao_id: 'microdao:home',
        },
      });
      expect(response.headers.get('content-type')).toContain('text/event-stream');
      const lines = (await response.text())
        .split('\n')
        .filter((line) => line.startsWith('data: '))
        .map((line) => line.slice(6));
      expect(lines.at(-1)).toBe('[DONE]');
      const events = lines.slice(0, -1).map((line) => JSON.parse(line) as Record<string, any>);
      expect(events[0]).toMatchObject({ type: 'started', provider: 'openai' });
      expect(
        events
          .filter(({ type }) => type === 'text')
          .map(({ text }) => text)
          .join(''),
      ).toBe('one two three');
      expect(events.at(-1)).toMatchObject({ type: 'finished', finish_reason: 'stop', usage: { estimated: false } });
    });

    it('answers REST in the documented shape', async () => {
      const response = await system.fetch('/internal/llm/proxy', {
        token,
        body: {
          model: 'openai/tool-call',
          messages: [{ role: 'user', content: 'Weather?' }],
          tools: [{ type: 'function', function: { name: 'weather', parameters: { type: 'object' } } }],
        },
        headers: { 'x-request-id': 'my-request' },
      });
      expect(response.status).toBe(200);
      expect(response.headers.get('x-request-id')).toBe('my-request');
      expect(await response.json()).toMatchObject({
        provider: 'openai',
        message: {
          role: 'assistant',
          tool_calls: [
            {
              id: 'call_mock_1',
              type: 'function',
              function: { name: 'weather', arguments: '{"city":"Kyiv","days":3}' },
            },
          ],
        },
        finish_reason: 'tool_calls',
        request_id: 'my-request',
        usage: { cost_usd: null },
      });
    });

    it('serves the official OpenAI client: whole, streamed, tools, embeddings, models, errors', async () => {
      const messages = [{ role: 'user' as const, content: 'Say hello.' }];
      const whole = await openai.chat.completions.create({ model: 'gpt-4o-mini', messages });
      expect(whole.choices[0]?.message.content).toContain('Hello from');
      let text = '';
      let usage: unknown;
      for await (const chunk of await openai.chat.completions.create({
        model: 'openai/stream-100-tokens',
        messages,
        stream: true,
        stream_options: { include_usage: true },
      })) {
        text += chunk.choices[0]?.delta.content ?? '';
        usage = chunk.usage ?? usage;
      }
      expect(text.trim().split(' ')).toHaveLength(100);
      expect(usage).toMatchObject({ completion_tokens: 100 });
      const embedded = await openai.embeddings.create({ model: 'text-embedding-3-small', input: ['one', 'two'] });
      expect(embedded.data).toHaveLength(2);
      expect((await openai.models.list()).data.map(({ id }) => id).length).toBeGreaterThan(5);
      await expect(openai.chat.completions.create({ model: 'gpt-4o-mimi', messages })).rejects.toMatchObject({
        status: 404,
        message: expect.stringContaining('gpt-4o-mini'),
      });
      await expect(
        new OpenAI({ baseURL: `${system.url}/v1`, apiKey: 'nonsense', maxRetries: 0 }).models.list(),
      ).rejects.toMatchObject({ status: 401 });
    });

    it('bills every answer to its agent, and shows it in one query of the graph', async () => {
      const agentId = 'agent:billed';
      const own = await system.token({ role: 'agent', agentId, microdaoId: 'microdao:billing' });
      for (let request = 0; request < 3; request += 1)
        await system.graphql(`mutation ($input: CompleteInput!) { complete(input: $input) { id } }`, {
          token: own,
          variables: { input: input('openai/gpt-4o-mini') },
        });
      const failed = await system.graphql(`mutation ($input: CompleteInput!) { complete(input: $input) { id } }`, {
        token: own,
        variables: { input: input('openai/status-500') },
      });
      expect(failed.errors?.[0]?.extensions.code).toBe('PROVIDER_UNAVAILABLE');
      const { data, errors } = await system.graphql(
        `{ llmUsage(period: "1h", groupBy: MODEL) { agentId totals { requests errors inputTokens outputTokens costUsd latencyMsP50 } byModel: groups { key requests } byDay: groups(by: DAY) { key requests } } llmRequests(first: 2) { nodes { status errorCode provider agent { id llmUsage(period: "1h") { totals { requests } } } attempts { number status } } pageInfo { hasNextPage } } }`,
        { token: own },
      );
      expect(errors).toBeUndefined();
      expect(data.llmUsage).toMatchObject({ agentId, totals: { requests: 4, errors: 1 } });
      expect(data.llmUsage.totals.costUsd).toBeGreaterThan(0);
      expect(data.llmUsage.byModel).toEqual(expect.arrayContaining([{ key: 'gpt-4o-mini', requests: 3 }]));
      expect(data.llmUsage.byDay[0].requests).toBe(4);
      expect(data.llmRequests.nodes[0]).toMatchObject({
        status: 'FAILED',
        errorCode: 'PROVIDER_UNAVAILABLE',
        agent: { id: agentId, llmUsage: { totals: { requests: 4 } } },
        attempts: [{ number: 1, status: 'FAILED' }],
      });
      expect(data.llmRequests.pageInfo.hasNextPage).toBe(true);
      const rest = await system.fetch(
        '/internal/llm/usage?microdao_id=microdao:billing&agent_id=agent%3Abilled&period=30d&group_by=model',
        { token: own },
      );
      expect(await rest.json()).toMatchObject({
        agent_id: agentId,
        microdao_id: 'microdao:billing',
        period: '30d',
        totals: { requests: 4, errors: 1 },
        groups: expect.any(Array),
      });
    });

    it('gives the same answer for the same idempotency key, billed once, and a conflict for another body', async () => {
      const own = await system.token({ microdaoId: 'microdao:keys' });
      const ask = (content: string, key: string) =>
        system.fetch('/internal/llm/proxy', {
          token: own,
          body: { model: 'openai/slow-300ms', messages: [{ role: 'user', content }] },
          headers: { 'idempotency-key': key },
        });
      const answers = await Promise.all(
        Array.from({ length: 5 }, async () => (await ask('hello', 'one')).json() as Promise<any>),
      );
      expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
      expect(system.mock.requests).toHaveLength(1);
      expect((await ask('other', 'one')).status).toBe(409);
      const { data } = await system.graphql('{ llmUsage(period: "1h") { totals { requests } } }', { token: own });
      expect(data.llmUsage.totals.requests).toBe(1);
    });

    it('aborts the upstream within 100 ms when the client leaves, and bills what was delivered', async () => {
      const own = await system.token({ microdaoId: 'microdao:leaver' });
      const leave = new AbortController();
      const response = await system.fetch('/internal/llm/proxy', {
        token: own,
        body: {
          model: 'openai/stream-1000-tokens-10ms',
          messages: [{ role: 'user', content: 'Go on.' }],
          stream: true,
        },
        signal: leave.signal,
      });
      const reader = response.body!.getReader();
      for (let chunk = 0; chunk < 10; chunk += 1) await reader.read();
      const leftAt = performance.now();
      leave.abort();
      await expect.poll(() => system.mock.requests[0]?.abortedAt, { timeout: 2_000, interval: 5 }).toBeDefined();
      expect(system.mock.requests[0]!.abortedAt! - leftAt).toBeLessThan(100);
      await expect
        .poll(
          async () =>
            (
              await system.graphql('{ llmRequests { nodes { status usage { outputTokens estimated } } } }', {
                token: own,
              })
            ).data.llmRequests.nodes[0],
        )
        .toMatchObject({ status: 'CANCELLED', usage: { estimated: true, outputTokens: expect.any(Number) } });
    });
  });
}
