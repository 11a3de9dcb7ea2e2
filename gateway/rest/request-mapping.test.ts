import { buildSchema, parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import { AppError } from '#platform/errors.ts';
import { compileRequest, type RestRequest } from './request-mapping.ts';
import type { RequestMapping } from './route.ts';

const schema = buildSchema(`
  scalar JSON
  enum Period { LAST_DAY LAST_WEEK }
  input Filter { agentId: ID, onlyErrors: Boolean, minCost: Float }
  input Thing { ownerId: ID, title: String!, itemList: [Item!], extraData: JSON, dedupeKey: String }
  input Item { itemName: String! }
  type Query { things(microdaoId: ID!, filter: Filter, period: Period, first: Int): String, make(input: Thing!): String }
`);

const list = compile(
  {
    path: { microdao_id: 'microdaoId' },
    query: {
      agent_id: 'filter.agentId',
      only_errors: 'filter.onlyErrors',
      min_cost: 'filter.minCost',
      period: 'period',
      first: 'first',
    },
  },
  'query ($microdaoId: ID!, $filter: Filter, $period: Period, $first: Int) { things(microdaoId: $microdaoId, filter: $filter, period: $period, first: $first) }',
);
const make = compile(
  {
    body: { variable: 'input', steering: { publish: 'Boolean' } },
    headers: { 'x-owner-id': 'input.ownerId', 'idempotency-key': 'input.dedupeKey' },
  },
  'query ($input: Thing!) { make(input: $input) }',
);

function compile(mapping: RequestMapping, operation: string) {
  const map = compileRequest(mapping, schema, parse(operation));
  return (request: Partial<RestRequest>) => map({ body: undefined, query: {}, params: {}, headers: {}, ...request });
}

function problemsOf(run: () => unknown): Record<string, string> {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    return Object.fromEntries((error as AppError).details?.map(({ path, reason }) => [path, reason]) ?? []);
  }
  throw new Error('nothing was refused');
}

const params = { microdao_id: 'microdao:daarion' };

describe('parameters', () => {
  test('become variables of their GraphQL types, nested ones too', () => {
    const { variables } = list({
      params,
      query: { agent_id: 'agent:sofia', only_errors: 'true', min_cost: '0.5', period: 'last_week', first: '20' },
    });
    expect(variables).toEqual({
      microdaoId: 'microdao:daarion',
      filter: { agentId: 'agent:sofia', onlyErrors: true, minCost: 0.5 },
      period: 'LAST_WEEK',
      first: 20,
    });
  });

  test('that are absent leave their variables out, so that the schema’s defaults apply', () => {
    expect(list({ params }).variables).toEqual({ microdaoId: 'microdao:daarion' });
  });

  test('are refused when unknown, empty, repeated or of a wrong type', () => {
    const query = { agentid: 'x', agent_id: '', period: 'year', first: 'ten', only_errors: ['true', 'false'] };
    expect(problemsOf(() => list({ params, query }))).toEqual({
      agentid: 'is not a known parameter; did you mean "agent_id"?',
      agent_id: 'must not be empty; leave it out instead',
      period: 'must be one of "last_day", "last_week"',
      first: 'must be a whole number, not a string',
      only_errors: 'must be given once',
    });
  });
});

describe('the body', () => {
  test('becomes its variable, without the fields that steer the route', () => {
    const { variables, steering } = make({ body: { title: 't', publish: true, item_list: [{ item_name: 'n' }] } });
    expect(variables).toEqual({ input: { title: 't', itemList: [{ itemName: 'n' }] } });
    expect(steering).toEqual({ publish: true });
  });

  test('is completed by headers, which may repeat it but not contradict it', () => {
    const headers = { 'x-owner-id': 'user:a', 'idempotency-key': 'k' };
    expect(make({ body: { title: 't', owner_id: 'user:a' }, headers }).variables).toEqual({
      input: { title: 't', ownerId: 'user:a', dedupeKey: 'k' },
    });
    expect(problemsOf(() => make({ body: { title: 't', owner_id: 'user:b' }, headers }))).toEqual({
      'x-owner-id': 'contradicts owner_id in the request; send one of the two, or the same',
    });
  });

  test('that is missing is a bad request', () => {
    expect(() => make({})).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }) as Error);
    expect(problemsOf(() => make({ body: null }))).toEqual({ '': 'is required and must not be null' });
  });
});

test('paths in a subgraph’s error come back in the client’s spelling', () => {
  const { toClientPath } = make({ body: { title: 't' } });
  expect(toClientPath('input.itemList[0].itemName')).toBe('item_list[0].item_name');
  expect(toClientPath('itemList[2]')).toBe('item_list[2]');
  expect(toClientPath('input')).toBe('input');
  expect(toClientPath('input[2]')).toBe('input[2]');
  expect(toClientPath('extraData.someKey[1].Other')).toBe('extra_data.someKey[1].Other');
  expect(list({ params }).toClientPath('filter.agentId')).toBe('agent_id');
});

describe('a row that does not fit the schema is refused when it is compiled', () => {
  const operation = 'query ($input: Thing!) { make(input: $input) }';
  test.each<[string, RequestMapping, string]>([
    ['a variable that is not there', { query: { a: 'nothing' } }, 'The operation has no variable $nothing.'],
    ['a field that is not there', { query: { a: 'input.nothing' } }, 'The operation has no variable $input.nothing.'],
    ['an object for a parameter', { query: { a: 'input' } }, '$input does not fit into a parameter.'],
    [
      'a body without its variable',
      { body: { variable: 'nothing' } },
      'The operation has no variable $nothing for the body.',
    ],
    [
      'a steering field of no type',
      { body: { variable: 'input', steering: { stream: 'Nothing' } } },
      'Nothing of stream is no input type.',
    ],
  ])('%s', (_, mapping, message) => {
    expect(() => compileRequest(mapping, schema, parse(operation))).toThrow(message);
  });
});
