import fc from 'fast-check';
import { getIntrospectionQuery, GraphQLError } from 'graphql';
import { describe, expect, test } from 'vitest';
import { adminCaller, createTestGraph, silentLogger } from '#test/gateway-subgraphs.ts';
import { checkLimits, defaultLimits, OperationTooComplexError, parseWithinLimits } from './limits.ts';
import { Supergraph } from './supergraph.ts';

const graph = createTestGraph();
const supergraph = Supergraph.fromSdl(graph.sdl, { transports: graph.subgraphs, logger: silentLogger });

const chain = (count: number, make: (number: number) => string): string =>
  Array.from({ length: count }, (_, number) => make(number)).join(' ');

const attacks: readonly [name: string, source: string, limit: string][] = [
  ['1 MB of nested fields', '{a'.repeat(500_000), 'sourceLengthMax'],
  ['nesting within the length', '{a'.repeat(40_000), 'nestingMax'],
  ['nested lists in arguments', `{ a(b: ${'['.repeat(30_000)}`, 'nestingMax'],
  ['100 kB of fields', `{ ${'a '.repeat(49_000)}}`, 'tokensMax'],
  ['10,000 aliases', `{ ${chain(10_000, (number) => `a${number}: nothing`).slice(0, 99_000)} }`, 'tokensMax'],
  ['more aliases than allowed', `{ person(id: 1) { ${chain(51, (number) => `a${number}: name`)} } }`, 'aliasesMax'],
  ['more root fields than allowed', `{ ${chain(31, (number) => `a${number}: nothing`)} }`, 'rootFieldsMax'],
  ['root fields hidden in fragments', `{ ${'...F '.repeat(31)} } fragment F on Query { nothing }`, 'rootFieldsMax'],
  ['directives', `{ nothing ${'@skip(if: false) '.repeat(51)} }`, 'directivesMax'],
  [
    'a bomb of fragments',
    `{ person(id: 1) { ...F0 } } ${chain(60, (number) => `fragment F${number} on Person { ...F${number + 1} ...F${number + 1} }`)} fragment F60 on Person { name }`,
    'costMax',
  ],
  [
    'a bomb of nested fields in fragments',
    `{ person(id: 1) { ...F0 } } ${chain(15, (number) => `fragment F${number} on Person { best { ...F${number + 1} } friends { ...F${number + 1} } }`)} fragment F15 on Person { name }`,
    'costMax',
  ],
  [
    'a bomb in a fragment that is not used',
    `{ nothing } ${chain(60, (number) => `fragment F${number} on Person { ...F${number + 1} ...F${number + 1} }`)} fragment F60 on Person { name }`,
    'costMax',
  ],
  ['the same field again and again', `{ person(id: 1) { ${'name '.repeat(400)} } }`, 'overlapsMax'],
  [
    'the same field in many fragments',
    `{ person(id: 1) { ${chain(200, (number) => `...F${number}`)} } } ${chain(200, (number) => `fragment F${number} on Person { name }`)}`,
    'overlapsMax',
  ],
  [
    'a long chain of fragments through fields',
    `{ person(id: 1) { ...F0 } } ${chain(40, (number) => `fragment F${number} on Person { best { ...F${number + 1} } }`)} fragment F40 on Person { name }`,
    'depthMax',
  ],
];

describe('limits', () => {
  test.each(attacks)('%s is refused within 10 ms, naming the limit', (_name, source, limit) => {
    supergraph.prepare('{ nothing }');
    const times: number[] = [];
    // The first run also pays for compiling this code; a different text each time, for refusals are kept.
    for (const padding of ['', ' ', '  ', '   ', '    ', '     ']) {
      const startedAt = performance.now();
      const { errors } = supergraph.prepare(padding + source);
      times.push(performance.now() - startedAt);
      expect(errors?.[0]).toMatchObject({
        message: expect.stringContaining(limit),
        extensions: { code: 'OPERATION_TOO_COMPLEX', retryable: false },
      });
    }
    expect(Math.min(...times)).toBeLessThan(10);
  });

  test('fragments that spread each other in a circle are refused as invalid', () => {
    const { errors } = supergraph.prepare(
      '{ person(id: 1) { ...A } } fragment A on Person { best { ...B } } fragment B on Person { best { ...A } }',
    );
    expect(errors?.[0]).toMatchObject({
      message: expect.stringContaining('within itself'),
      extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
    });
  });

  test('the message tells the bound and the value', () => {
    const { errors } = supergraph.prepare(`{ ${chain(40, (number) => `a${number}: nothing`)} }`);
    expect(errors?.[0]?.message).toBe('The operation exceeds the limit of 30 root fields: it has 40 (rootFieldsMax).');
  });

  test('what GraphiQL asks for first is within them', async () => {
    for (const source of [
      getIntrospectionQuery(),
      getIntrospectionQuery({
        specifiedByUrl: true,
        inputValueDeprecation: true,
        schemaDescription: true,
        directiveIsRepeatable: true,
      }),
    ]) {
      const { operation, errors } = supergraph.prepare(source);
      expect(errors).toBeUndefined();
      const result = await supergraph.execute(
        operation!,
        { caller: adminCaller, requestId: 'r' },
        new AbortController().signal,
      );
      expect(result.errors).toBeUndefined();
    }
  });

  test('introspection is limited like everything else', () => {
    const { errors } = supergraph.prepare(
      `{ __schema { types { fields { type ${'{ ofType '.repeat(20)} { name } ${'}'.repeat(20)} } } } }`,
    );
    expect(errors?.[0]?.extensions?.['code']).toBe('OPERATION_TOO_COMPLEX');
  });

  test('limits may be set', () => {
    const strict = Supergraph.fromSdl(graph.sdl, {
      transports: graph.subgraphs,
      logger: silentLogger,
      limits: { depthMax: 2 },
    });
    expect(strict.prepare('{ person(id: 1) { name } }').errors).toBeUndefined();
    expect(strict.prepare('{ person(id: 1) { best { name } } }').errors?.[0]?.message).toContain('depthMax');
  });

  test('any text is read in bounded time and refused with a GraphQL error, or taken', () => {
    const word = fc.constantFrom(
      '{',
      '}',
      '(',
      ')',
      '[',
      ']',
      '...',
      ':',
      '$',
      '@',
      '!',
      '"',
      '"""',
      'query',
      'fragment',
      'on',
      'a',
      'F',
      '1',
      '#',
      '\n',
      ' ',
      '\0',
      '\ud800',
      'é',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 300 }), (words) => {
        try {
          checkLimits(parseWithinLimits(words.join(' '), defaultLimits), defaultLimits);
        } catch (error) {
          expect(error instanceof OperationTooComplexError || error instanceof GraphQLError).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('the worst that the limits let through is prepared in bounded time', () => {
    const sources = [
      `{ person(id: 1) { ${chain(62, () => 'name best { name nick }')} } }`,
      `{ person(id: 1) { ${chain(300, (number) => `... on Person { ${number % 2 === 0 ? 'id' : 'kind'} }`).slice(0, 3_000)} } }`,
      `{ ${chain(30, (number) => `a${number}: person(id: 1) { best { best { best { id name nick kind usage { period requests } label risky } } } }`)} }`,
    ];
    for (const source of sources) {
      const startedAt = performance.now();
      supergraph.prepare(source);
      expect(performance.now() - startedAt).toBeLessThan(1_000);
    }
  });
});
