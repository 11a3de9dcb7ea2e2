import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { asker, openLlmFixture, type LlmFixture } from '#test/llm-fixture.ts';
import { startMockUpstream, type MockUpstream } from '#test/mock-upstream/server.ts';
import { testDatabaseNames } from '#test/test-database.ts';
import { complete, completion } from './complete.ts';
import type { CompletionStreamEvent } from './completion-events.ts';
import { createOpenAiProvider } from './providers/openai.ts';
import type { CompleteInput } from './resolver-types.ts';

const input = (model: string, overrides: Partial<CompleteInput> = {}): CompleteInput => ({
  model: `openai/${model}`,
  messages: [{ role: 'USER', content: 'Tell me something, please.' }],
  ...overrides,
});

async function readAll(stream: AsyncIterable<CompletionStreamEvent>): Promise<CompletionStreamEvent[]> {
  const events: CompletionStreamEvent[] = [];
  for await (const event of stream) events.push(event);
  return events;
}
const textOf = (events: readonly CompletionStreamEvent[]): string =>
  events.map((event) => (event.__typename === 'CompletionText' ? event.text : '')).join('');

/** Patient: the machine may be busy with other suites. */
const eventually = <Value>(look: () => Value) => expect.poll(look, { timeout: 10_000, interval: 5 });

/** What is promised to a client that leaves. */
const abortMsMax = 100;

/** The quickest of a few tries: other suites on the machine may delay any one of them, but not make one quicker. */
async function quickestAbortMs(tryOnce: () => Promise<number>): Promise<number> {
  let quickestMs = Infinity;
  for (let attempt = 0; attempt < 5 && quickestMs >= abortMsMax; attempt += 1) {
    quickestMs = Math.min(quickestMs, await tryOnce());
  }
  if (process.env['SHOW_TIMES'] !== undefined) console.info(`aborted in ${quickestMs.toFixed(1)} ms`);
  return quickestMs;
}

interface Row {
  readonly status: string;
  readonly error_code: string | null;
  readonly output_tokens: number;
  readonly input_tokens: number;
  readonly estimated: boolean;
  readonly ttft_ms: number | null;
}

describe.each(testDatabaseNames)('completing on %s', (name) => {
  let upstream: MockUpstream;
  let fixture: LlmFixture;
  let requests = 0;
  let requestId = '';

  beforeAll(async () => {
    upstream = await startMockUpstream();
    const provider = createOpenAiProvider({ apiKey: 'key', baseUrl: upstream.openaiBaseUrl });
    fixture = await openLlmFixture(name, provider, { requestTimeoutMs: 5_000, reconnectGraceMs: 150 });
    await fixture.llm.prices.set('openai', 'priced', { inputUsd: '3', outputUsd: '15' }, 'user:admin');
  });
  afterAll(async () => {
    await fixture.close();
    await upstream.close();
  });
  beforeEach(() => {
    upstream.reset();
    requestId = `request-${name}-${++requests}`;
  });

  const rows = (): Promise<Row[]> =>
    fixture.database.sql<Row>(
      `select status, error_code, output_tokens::int, input_tokens::int, estimated, ttft_ms from llm.llm_requests
       where request_id = $1 or request_id like $1 || '/%' order by id`,
      [requestId],
    );
  const me = (overrides: Parameters<typeof asker>[0] = {}) => asker({ requestId, ...overrides });

  it('answers whole, and has billed it by then', async () => {
    upstream.setBehaviour('priced', {
      text: 'Hello.',
      usage: { inputTokens: 1_000, outputTokens: 100, cachedInputTokens: 0 },
    });
    const answer = await complete(fixture.llm, me(), input('priced'));
    expect(answer).toMatchObject({ content: 'Hello.', provider: 'openai', finishReason: 'stop', requestId });
    expect(answer.usage).toMatchObject({
      inputTokens: 1_000,
      outputTokens: 100,
      costUsd: '0.0045000000',
      estimated: false,
    });
    expect(await rows()).toMatchObject([{ status: 'SUCCEEDED', output_tokens: 100 }]);
  });

  it('streams: started, deltas, and finished only when it is billed', async () => {
    const stream = await completion(fixture.llm, me(), input('stream-20-tokens'));
    const events: CompletionStreamEvent[] = [];
    for await (const event of stream) {
      events.push(event);
      if (event.type === 'FINISHED') expect(await rows()).toMatchObject([{ status: 'SUCCEEDED' }]);
    }
    expect(events[0]).toMatchObject({ type: 'STARTED', requestId });
    expect(events.at(-1)).toMatchObject({ type: 'FINISHED', finishReason: 'STOP', usage: { costUsd: null } });
    expect(events.filter(({ type }) => type === 'STARTED' || type === 'FINISHED' || type === 'FAILED')).toHaveLength(2);
    expect(textOf(events)).toBe(Array.from({ length: 20 }, (_, index) => `tok${index} `).join(''));
    expect((await rows())[0]?.ttft_ms).toEqual(expect.any(Number));
  });

  it('counts tokens itself when the provider tells none, and says so', async () => {
    const answer = await complete(fixture.llm, me(), input('no-usage'));
    expect(answer.usage.estimated).toBe(true);
    expect(answer.usage.outputTokens).toBeGreaterThan(2);
    const streamed = await readAll(await completion(fixture.llm, me(), input('no-usage')));
    expect(streamed.at(-1)).toMatchObject({
      type: 'FINISHED',
      usage: { estimated: true, outputTokens: answer.usage.outputTokens },
    });
  });

  it('rejects what fails before the first event, and records it', async () => {
    await expect(completion(fixture.llm, me(), input('status-401'))).rejects.toMatchObject({
      code: 'PROVIDER_AUTHENTICATION_FAILED',
    });
    await expect(complete(fixture.llm, me(), input('status-503'))).rejects.toMatchObject({
      code: 'PROVIDER_UNAVAILABLE',
    });
    expect(await rows()).toMatchObject([
      { status: 'FAILED', error_code: 'PROVIDER_AUTHENTICATION_FAILED', input_tokens: 0, output_tokens: 0 },
      { status: 'FAILED', error_code: 'PROVIDER_UNAVAILABLE' },
    ]);
  });

  it.each(['cut-stream', 'no-done'])(
    'ends a stream that its provider left unfinished (%s) as failed, with what was delivered billed',
    async (fault) => {
      const events = await readAll(await completion(fixture.llm, me(), input(fault)));
      expect(events.at(-1)).toMatchObject({ type: 'FAILED', error: { code: 'STREAM_INTERRUPTED', requestId } });
      const [row] = await rows();
      expect(row).toMatchObject({ status: 'FAILED', error_code: 'STREAM_INTERRUPTED', estimated: true });
      expect(row?.output_tokens).toBeGreaterThan(0);
      expect(row?.input_tokens).toBeGreaterThan(0);
    },
  );

  it('aborts the upstream within 100 ms when the reader leaves in the middle, and bills what it had', async () => {
    const abortMs = await quickestAbortMs(async () => {
      upstream.reset();
      const stream = await completion(fixture.llm, me(), input('stream-1000-tokens-10ms'));
      for (let events = 0; events < 10; events += 1) await stream.next();
      const pending = stream.next();
      const leftAt = performance.now();
      void stream.return();
      await pending;
      await eventually(() => upstream.requests[0]?.aborted).toBe(true);
      return (upstream.requests[0]?.abortedAt ?? Infinity) - leftAt;
    });
    expect(abortMs).toBeLessThan(abortMsMax);
    await eventually(async () => (await rows()).every(({ status }) => status === 'CANCELLED')).toBe(true);
    const [row] = await rows();
    expect(row).toMatchObject({ error_code: 'CLIENT_CLOSED_REQUEST', estimated: true });
    expect(row?.output_tokens).toBeGreaterThanOrEqual(9);
    expect(row?.output_tokens).toBeLessThan(200);
  });

  it('aborts the upstream within 100 ms when the client of a silent one leaves', async () => {
    const abortMs = await quickestAbortMs(async () => {
      upstream.reset();
      const client = new AbortController();
      const whole = complete(fixture.llm, me({ signal: client.signal }), input('silent'));
      const streamed = completion(fixture.llm, me({ signal: client.signal }), input('silent'));
      await eventually(() => upstream.requests.length).toBe(2);
      const leftAt = performance.now();
      client.abort();
      await expect(whole).rejects.toMatchObject({ code: 'CLIENT_CLOSED_REQUEST' });
      await expect(streamed).rejects.toMatchObject({ code: 'CLIENT_CLOSED_REQUEST' });
      await eventually(() => upstream.requests.every(({ aborted }) => aborted)).toBe(true);
      return Math.max(...upstream.requests.map(({ abortedAt }) => abortedAt ?? Infinity)) - leftAt;
    });
    expect(abortMs).toBeLessThan(abortMsMax);
    await eventually(async () => (await rows()).every(({ status }) => status === 'CANCELLED')).toBe(true);
    expect((await rows()).length).toBeGreaterThanOrEqual(2);
  });

  it('ends at its deadline', async () => {
    const llm = { ...fixture.llm, settings: { requestTimeoutMs: 100, reconnectGraceMs: 100 } };
    await expect(complete(llm, me(), input('silent'))).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    const events = await readAll(await completion(llm, me(), input('stall')));
    expect(events.at(-1)).toMatchObject({ type: 'FAILED', error: { code: 'DEADLINE_EXCEEDED' } });
    expect((await rows()).map(({ status }) => status)).toEqual(['FAILED', 'FAILED']);
  });

  it('reads the upstream no faster than its reader', async () => {
    const stream = await completion(fixture.llm, me(), input('stream-50000-tokens'));
    await sleep(300);
    const read: CompletionStreamEvent[] = [];
    for (let events = 0; events < 5; events += 1) {
      const { value } = await stream.next();
      if (value) read.push(value);
    }
    expect(textOf(read)).toContain('tok0 ');
    await stream.return();
    await eventually(async () => (await rows())[0]?.status).toBe('CANCELLED');
    // Most of the answer was never taken from the socket.
    expect((await rows())[0]?.output_tokens).toBeLessThan(10_000);
  });

  it('refuses bad input, unknown models and images for the blind before anything is recorded', async () => {
    const refused = [
      [input('x', { messages: [] }), 'INVALID_INPUT'],
      [input('x', { messages: [{ role: 'USER', content: 'a\0b' }] }), 'INVALID_INPUT'],
      [{ ...input('x'), model: 'gpt-4oo' }, 'MODEL_NOT_FOUND'],
      [{ ...input('x'), model: 'text-embedding-3-small' }, 'UNSUPPORTED_BY_MODEL'],
    ] as const;
    for (const [bad, code] of refused) {
      await expect(complete(fixture.llm, me(), bad)).rejects.toMatchObject({ code });
      await expect(completion(fixture.llm, me(), bad)).rejects.toMatchObject({ code });
    }
    expect(await rows()).toEqual([]);
    expect(upstream.requests).toEqual([]);
  });

  describe('with an idempotency key', () => {
    const keyed = (model: string, overrides: Partial<CompleteInput> = {}) =>
      input(model, { idempotencyKey: `key-${requestId}`, ...overrides });

    it('gives twenty at once one answer, by one upstream call and one bill', async () => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => complete(fixture.llm, me(), keyed('slow-100ms'))),
      );
      expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
      expect(upstream.requests).toHaveLength(1);
      expect(await rows()).toHaveLength(1);
    });

    it('gives the stored answer later, whole or as a stream, also in another process', async () => {
      const first = await complete(fixture.llm, me(), keyed('reasoning'));
      const other = await fixture.another();
      for (const llm of [fixture.llm, other]) {
        expect(await complete(llm, me({ requestId: 'later' }), keyed('reasoning'))).toEqual(
          JSON.parse(JSON.stringify(first)),
        );
        const events = await readAll(await completion(llm, me(), keyed('reasoning')));
        expect(events[0]).toMatchObject({ type: 'STARTED', id: first.id });
        expect(textOf(events)).toBe(first.content);
        expect(events.at(-1)).toMatchObject({ type: 'FINISHED', usage: { outputTokens: first.usage.outputTokens } });
      }
      expect(upstream.requests).toHaveLength(1);
      expect(await rows()).toHaveLength(1);
    });

    it('waits for an answer that another process is making', async () => {
      const other = await fixture.another();
      const [one, two] = await Promise.all([
        complete(fixture.llm, me(), keyed('slow-300ms')),
        sleep(30).then(() => complete(other, me(), keyed('slow-300ms'))),
      ]);
      expect(two.id).toBe(one.id);
      expect(upstream.requests).toHaveLength(1);
    });

    it('refuses another body, running or done', async () => {
      const running = complete(fixture.llm, me(), keyed('slow-100ms'));
      await eventually(() => upstream.requests.length).toBe(1);
      const other = keyed('slow-100ms', { temperature: 1 });
      await expect(complete(fixture.llm, me(), other)).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
      await running;
      await expect(complete(fixture.llm, me(), other)).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
      await expect(completion(fixture.llm, me(), other)).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
      expect(await rows()).toHaveLength(1);
    });

    it('belongs to its caller and microDAO', async () => {
      const stranger = { subject: 'service:other', admin: false, memberships: [] };
      const one = await complete(fixture.llm, me(), keyed('json'));
      const two = await complete(fixture.llm, me({ caller: stranger }), keyed('json'));
      const three = await complete(fixture.llm, me({ microdaoId: 'microdao:other' }), keyed('json'));
      expect(new Set([one.id, two.id, three.id]).size).toBe(3);
    });

    it('lets a failure be tried again, by one of many', async () => {
      upstream.answerNext({ status: 503 });
      await expect(complete(fixture.llm, me(), keyed('hello'))).rejects.toMatchObject({ code: 'PROVIDER_UNAVAILABLE' });
      const answers = await Promise.all(Array.from({ length: 10 }, () => complete(fixture.llm, me(), keyed('hello'))));
      expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
      expect(upstream.requests).toHaveLength(2);
      expect((await rows()).map(({ status }) => status)).toEqual(['FAILED', 'SUCCEEDED']);
    });

    it('shows a running stream to who joins late from its start, and to complete as one answer', async () => {
      const early = await completion(fixture.llm, me(), keyed('stream-40-tokens-5ms'));
      for (let events = 0; events < 10; events += 1) await early.next();
      const [late, whole, rest] = await Promise.all([
        completion(fixture.llm, me(), keyed('stream-40-tokens-5ms')).then(readAll),
        complete(fixture.llm, me(), keyed('stream-40-tokens-5ms')),
        readAll(early),
      ]);
      expect(textOf(late)).toBe(whole.content);
      expect(rest.at(-1)).toEqual(late.at(-1));
      expect(upstream.requests).toHaveLength(1);
      expect(await rows()).toHaveLength(1);
    });

    it('goes on without a second bill when its only reader comes back in time', async () => {
      const first = await completion(fixture.llm, me(), keyed('stream-100-tokens-5ms'));
      for (let events = 0; events < 10; events += 1) await first.next();
      await first.return();
      await sleep(50);
      const events = await readAll(await completion(fixture.llm, me(), keyed('stream-100-tokens-5ms')));
      expect(textOf(events)).toContain('tok0 ');
      expect(events.at(-1)?.type).toBe('FINISHED');
      expect(upstream.requests).toHaveLength(1);
      expect(await rows()).toMatchObject([{ status: 'SUCCEEDED' }]);
    });

    it('is aborted when its last reader stays away, and may be asked for again', async () => {
      const stream = await completion(fixture.llm, me(), keyed('stream-300-tokens-10ms'));
      for (let events = 0; events < 5; events += 1) await stream.next();
      await stream.return();
      await eventually(() => upstream.requests[0]?.aborted).toBe(true);
      await eventually(async () => (await rows())[0]?.status).toBe('CANCELLED');
      upstream.answerNext({ text: 'Again.' });
      expect(textOf(await readAll(await completion(fixture.llm, me(), keyed('stream-300-tokens-10ms'))))).toBe(
        'Again.',
      );
      expect((await rows()).map(({ status }) => status)).toEqual(['CANCELLED', 'SUCCEEDED']);
    });

    it('tells all readers of a failing stream that it failed', async () => {
      upstream.answerNext({ pieces: ['a', 'b', 'c', 'd', 'e', 'f'], text: 'abcdef', pieceDelayMs: 20, fault: 'cut' });
      const [one, two] = await Promise.all([
        completion(fixture.llm, me(), keyed('any')).then(readAll),
        completion(fixture.llm, me(), keyed('any')).then(readAll),
      ]);
      expect(one.at(-1)).toMatchObject({ type: 'FAILED' });
      expect(two).toEqual(one);
      expect(await rows()).toHaveLength(1);
    });
  });
});
