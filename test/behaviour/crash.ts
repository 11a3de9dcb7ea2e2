import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { System, type Layout } from '#test/system.ts';

/** Money survives what happens to processes. */
export function describeCrash(layout: Layout): void {
  describe(`a crash (${layout})`, () => {
    let system: System;
    let token: string;
    beforeAll(async () => {
      system = await System.start({ layout });
      token = await system.token();
    });
    afterAll(() => system?.close());

    it('leaves every delivered answer in llmUsage, killed in the middle of many streams', async () => {
      const streams = 20;
      let finished = 0;
      const ask = (stream: number, model: string) =>
        system.fetch('/internal/llm/proxy', {
          token,
          body: {
            model,
            stream: true,
            agent_id: `agent:stream-${stream}`,
            messages: [{ role: 'user', content: 'Tell me a long story.' }],
          },
        });
      const texts = Array.from({ length: streams }, () => '');
      const read = async (stream: number, model: string) => {
        const response = await ask(stream, model);
        const decoder = new TextDecoder();
        try {
          for await (const chunk of response.body!)
            texts[stream] += decoder.decode(chunk as Uint8Array, { stream: true });
        } catch {
          // The kill cuts the stream; what came before counts.
        }
        if (texts[stream]!.includes('"finished"')) finished += 1;
      };
      const reading = Promise.all(
        Array.from({ length: streams }, (_, stream) =>
          read(stream, stream % 4 === 0 ? 'openai/stream-10-tokens' : 'openai/stream-100000-tokens-10ms'),
        ),
      );
      await expect.poll(() => finished, { timeout: 20_000 }).toBe(streams / 4);
      await expect
        .poll(() => texts.every((text) => text.split('"text"').length > 300 || text.includes('"finished"')), {
          timeout: 30_000,
        })
        .toBe(true);
      await system.kill();
      await reading;
      await system.restart();

      await expect
        .poll(
          async () =>
            (await system.graphql('{ llmUsage(period: "1h") { totals { requests } } }', { token })).data?.llmUsage
              .totals.requests,
          { timeout: 30_000, interval: 250 },
        )
        .toBe(streams);
      const { data } = await system.graphql(
        '{ llmRequests(first: 100) { nodes { status agent { id } usage { outputTokens estimated } } } }',
        { token },
      );
      const rows = data.llmRequests.nodes as {
        status: string;
        agent: { id: string };
        usage: { outputTokens: number; estimated: boolean };
      }[];
      for (const row of rows) {
        const text = texts[Number(row.agent.id.split('-')[1])]!;
        if (text.includes('"finished"')) {
          expect(row).toMatchObject({ status: 'SUCCEEDED', usage: { outputTokens: 10, estimated: false } });
        } else {
          expect(row).toMatchObject({ status: 'INTERRUPTED', usage: { estimated: true } });
          // Checkpoints are about a second apart, and about three seconds were delivered.
          expect(row.usage.outputTokens).toBeGreaterThan(0);
        }
      }
    });

    it('loses no answer that was acknowledged, killed under load', async () => {
      const own = await system.token({ microdaoId: 'microdao:load' });
      const acknowledged = new Set<string>();
      let running = true;
      const worker = async () => {
        while (running) {
          try {
            const response = await system.fetch('/internal/llm/proxy', {
              token: own,
              body: { model: 'openai/echo', messages: [{ role: 'user', content: 'x' }] },
            });
            if (response.ok) acknowledged.add(((await response.json()) as { id: string }).id);
          } catch {
            return;
          }
        }
      };
      const workers = Array.from({ length: 16 }, worker);
      await expect.poll(() => acknowledged.size, { timeout: 20_000 }).toBeGreaterThan(300);
      await system.kill();
      running = false;
      await Promise.all(workers);
      await system.restart();
      const recorded = new Set<string>();
      let after: string | null = null;
      do {
        const page: { data?: any } = await system.graphql(
          'query ($after: String) { llmRequests(first: 100, after: $after) { nodes { id } pageInfo { endCursor hasNextPage } } }',
          { token: own, variables: { after } },
        );
        for (const node of page.data.llmRequests.nodes) recorded.add(node.id);
        after = page.data.llmRequests.pageInfo.hasNextPage ? page.data.llmRequests.pageInfo.endCursor : null;
      } while (after !== null);
      expect([...acknowledged].filter((id) => !recorded.has(id))).toEqual([]);
    });

    it('is not a stop: asked to stop, processes let a request under way finish and exit with 0', async () => {
      const answer = system.fetch('/internal/llm/proxy', {
        token,
        body: { model: 'openai/slow-500ms', messages: [{ role: 'user', content: 'x' }] },
      });
      await expect
        .poll(() => system.mock.requests.some(({ model }) => model === 'slow-500ms'), { timeout: 5_000 })
        .toBe(true);
      const codes = await system.stop();
      expect((await answer).status).toBe(200);
      expect(codes.every((code) => code === 0)).toBe(true);
      await system.restart();
    });
  });
}
