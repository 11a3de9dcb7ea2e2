import { describe, expect, test } from 'vitest';
import { adminCaller, createTestGraph, silentLogger } from '#test/gateway-subgraphs.ts';
import { Supergraph } from './supergraph.ts';

const graph = createTestGraph();
const request = { caller: adminCaller, requestId: 'r-1' };
const open = (passThrough: boolean) => Supergraph.fromSdl(graph.sdl, { transports: graph.subgraphs, logger: silentLogger, passThrough, fetchDeadlineMs: 200 });
const fast = open(true);
const slow = open(false);

async function run(supergraph: Supergraph, source: string, variables?: Record<string, unknown>) {
  const { operation, errors } = supergraph.prepare(source);
  if (operation === undefined) return { errors };
  return supergraph.execute(operation, { ...request, variables }, new AbortController().signal);
}

describe('try', () => {
  test.each([
    '{ person(id: "p1") { id name } }',
    '{ person(id: "p1") { id name usage { requests } } }',
    '{ person(id: "p1") { id label } }',
    '{ people { id risky } }',
    '{ people { id mustHave } }',
    '{ people { slow name } }',
    '{ waits nothing }',
    '{ totals { requests } slowTotals {requests} }',
    '{ mustNotFail nothing }',
    '{ animals { __typename name ... on Cat { lives } } }',
    '{ animals { name ... on Cat { lives } } }',
    '{ fails nothing }',
    '{ mood }',
    '{ fails(code: "RATE_LIMITED") }',
    'query($i: EchoInput!){ echo(input: $i) { text } }',
  ])('%s', async (source) => {
    const a = await run(fast, source);
    console.log(source, fast.prepare(source).operation?.passThrough?.query, JSON.stringify(a));
    expect(JSON.stringify(a)).toBe(JSON.stringify(await run(slow, source)));
  });
});
