import { Pool } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { System, type Layout } from '#test/system.ts';

export function describeLoad(layout: Layout): void {
  describe(`load (${layout})`, () => {
    let system: System;
    beforeAll(async () => {
      system = await System.start({ layout });
    });
    afterAll(() => system?.close());

    it('answers ten thousand requests at 100 concurrent without an error, each billed once', async () => {
      const token = await system.token({ microdaoId: 'microdao:load' });
      const requests = 10_000;
      const pool = new Pool(system.url, { connections: 100 });
      const body = JSON.stringify({ model: 'openai/echo', messages: [{ role: 'user', content: 'hello' }] });
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const failures: string[] = [];
      let next = 0;
      const worker = async () => {
        while (next++ < requests) {
          const answer = await pool.request({ path: '/internal/llm/proxy', method: 'POST', headers, body });
          const text = await answer.body.text();
          if (answer.statusCode !== 200 || !text.includes('"content":"hello"')) failures.push(text);
        }
      };
      await Promise.all(Array.from({ length: 100 }, worker));
      await pool.close();
      expect(failures).toEqual([]);
      const { data } = await system.graphql('{ llmUsage(period: "1h") { totals { requests errors } } }', { token });
      expect(data.llmUsage.totals).toEqual({ requests, errors: 0 });
    }, 120_000);
  });
}
