import fc from 'fast-check';
import {
  getNamedType,
  isAbstractType,
  isCompositeType,
  isNonNullType,
  type GraphQLField,
  type GraphQLNamedType,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import { adminCaller, createTestGraph, silentLogger } from '#test/gateway-subgraphs.ts';
import { Supergraph } from './supergraph.ts';

const graph = createTestGraph();
const options = { transports: graph.subgraphs, logger: silentLogger };
const fast = Supergraph.fromSdl(graph.sdl, options);
const slow = Supergraph.fromSdl(graph.sdl, { ...options, passThrough: false });

const variables = { yes: true, no: false, id: 'p2', input: { text: 'x', any: { a: [1, null] } } };

async function run(supergraph: Supergraph, source: string): Promise<string> {
  const { operation, errors } = supergraph.prepare(source);
  if (operation === undefined) return JSON.stringify({ errors });
  return JSON.stringify(
    await supergraph.execute(
      operation,
      { variables, caller: adminCaller, requestId: 'r' },
      new AbortController().signal,
    ),
  );
}

const passesThrough = (source: string): boolean => fast.prepare(source).operation?.passThrough !== undefined;

// Those that wait would make the test slow, not better.
const left = new Set(['waits', 'slow', 'slowTotals']);

/** Writes a valid operation, taking each decision from the tape. */
class OperationWriter {
  readonly #tape: readonly number[];
  #at = 0;
  readonly #fragments: string[] = [];
  readonly #used = new Set<string>();

  constructor(tape: readonly number[]) {
    this.#tape = tape;
  }

  write(): string {
    const root = this.#choose(['Query', 'Query', 'Query', 'Mutation']);
    const selections = this.#selections(root, 0);
    const declared = { yes: 'Boolean!', no: 'Boolean!', id: 'ID!', input: 'EchoInput!' };
    const definitions = Object.entries(declared).flatMap(([name, type]) =>
      this.#used.has(name) ? [`$${name}: ${type}`] : [],
    );
    return `${root.toLowerCase()} Op${definitions.length > 0 ? `(${definitions.join(', ')})` : ''} ${selections} ${this.#fragments.join(' ')}`;
  }

  #next(below: number): number {
    const value = this.#tape[this.#at % this.#tape.length] ?? 0;
    this.#at += 1;
    return (value + this.#at) % below;
  }

  #choose<Item>(items: readonly Item[]): Item {
    return items[this.#next(items.length)] as Item;
  }

  #variable(name: string): string {
    this.#used.add(name);
    return `$${name}`;
  }

  #selections(typeName: string, depth: number): string {
    const type = fast.apiSchema.getType(typeName) as GraphQLNamedType;
    const fields =
      'getFields' in type
        ? (Object.values(type.getFields()) as GraphQLField<unknown, unknown>[]).filter(({ name }) => !left.has(name))
        : [];
    const leafs = fields.filter((field) => !isCompositeType(getNamedType(field.type)));
    const usable = depth >= 3 ? leafs : fields;
    const written: string[] = [];
    const count = 1 + this.#next(3);
    for (let index = 0; index < count; index += 1) {
      const kind = depth < 4 ? this.#next(10) : 6 + this.#next(4);
      if (isAbstractType(type) && kind < 4) {
        const possible = this.#choose(fast.apiSchema.getPossibleTypes(type)).name;
        written.push(`... on ${possible}${this.#condition()} ${this.#selections(possible, depth + 1)}`);
      } else if (kind === 4 && depth > 0) {
        const name = `F${this.#fragments.length}`;
        this.#fragments.push('');
        this.#fragments[Number(name.slice(1))] =
          `fragment ${name} on ${typeName} ${this.#selections(typeName, depth + 1)}`;
        written.push(`...${name}${this.#condition()}`);
      } else if (kind === 5) {
        written.push(`...${this.#condition()} ${this.#selections(typeName, depth + 1)}`);
      } else if (kind === 6 || usable.length === 0) {
        written.push(this.#choose(['__typename', `t${this.#next(3)}: __typename`]));
      } else {
        written.push(this.#field(this.#choose(usable), depth));
      }
    }
    return `{ ${written.join(' ')} }`;
  }

  #field(field: GraphQLField<unknown, unknown>, depth: number): string {
    const type = getNamedType(field.type);
    const given = field.args.flatMap((argument) => {
      if (!isNonNullType(argument.type) && this.#next(2) === 0) return [];
      const values: Record<string, readonly string[]> = {
        id: ['"p1"', '"p2"', '"none"'],
        first: ['1', '2'],
        name: ['"renamed"'],
        text: ['"q"'],
        period: ['"7d"'],
        code: ['"RATE_LIMITED"', '"NOT_FOUND"', 'null'],
      };
      if (argument.name === 'input') return [`input: ${this.#variable('input')}`];
      if (argument.name === 'id' && this.#next(3) === 0) return [`id: ${this.#variable('id')}`];
      return [`${argument.name}: ${this.#choose(values[argument.name] ?? ['null'])}`];
    });
    // An alias of its own where arguments or types could clash with another selection of the field.
    const alias = given.length > 0 || isCompositeType(type) || this.#next(4) === 0 ? `a${this.#at}: ` : '';
    const inner = isCompositeType(type) ? ` ${this.#selections(type.name, depth + 1)}` : '';
    return `${alias}${field.name}${given.length > 0 ? `(${given.join(', ')})` : ''}${this.#condition()}${inner}`;
  }

  #condition(): string {
    switch (this.#next(12)) {
      case 0:
        return ` @include(if: ${this.#variable('yes')})`;
      case 1:
        return ` @skip(if: ${this.#variable('yes')})`;
      case 2:
        return ` @include(if: ${this.#variable('no')})`;
      case 3:
        return ' @skip(if: false)';
      default:
        return '';
    }
  }
}

describe('passing a subgraph’s answer through', () => {
  test('gives byte for byte what executing the plan gives, for generated operations', async () => {
    let passed = 0;
    let valid = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(1000), { minLength: 30, maxLength: 120 }), async (tape) => {
        const source = new OperationWriter(tape).write();
        if (fast.prepare(source).operation === undefined) return;
        valid += 1;
        if (passesThrough(source)) passed += 1;
        expect(await run(fast, source)).toBe(await run(slow, source));
      }),
      { numRuns: 500 },
    );
    // The property says little unless both ways were taken often.
    expect(passed).toBeGreaterThan(50);
    expect(valid - passed).toBeGreaterThan(50);
  }, 60_000);

  test.each([
    '{ person(id: "p1") { id name } }',
    'query($id: ID!) { person(id: $id) { ...F } } fragment F on Person { name best { ...G } } fragment G on Person { nick }',
    '{ animals { name legs ... on Cat { lives } } }',
    '{ search { __typename ... on Person { name } ... on Dog { owner { id } } } }',
    'mutation { rename(id: "p4", name: "x") { id kind } failToRename(id: "p4") { id } }',
    '{ fails nothing mustNotFail }',
    '{ people { name @include(if: true) nick @skip(if: true) } }',
    'subscription { ticks { number any } }',
  ])('is done for %s', (source) => {
    expect(fast.prepare(source).errors).toBeUndefined();
    expect(passesThrough(source)).toBe(true);
  });

  test.each([
    ['several subgraphs answer', '{ person(id: "p1") { name } totals { requests } }'],
    ['an entity is joined', '{ person(id: "p1") { usage { requests } } }'],
    ['an enum hides a value', '{ mood }'],
    ['the gateway answers itself', '{ __typename }'],
    ['the gateway answers a part itself', '{ nothing __schema { queryType { name } } }'],
    ['an event is joined', 'subscription { messages { author { name } } }'],
  ])('is not done when %s', (_why, source) => {
    expect(fast.prepare(source).errors).toBeUndefined();
    expect(passesThrough(source)).toBe(false);
  });

  test('a hidden value of an enum stays hidden', async () => {
    expect(JSON.parse(await run(fast, '{ mood }'))).toMatchObject({
      data: { mood: null },
      errors: [{ path: ['mood'] }],
    });
  });
});
