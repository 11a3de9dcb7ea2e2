import {
  GraphQLError,
  Kind,
  Lexer,
  parse,
  Source,
  TokenKind,
  type DocumentNode,
  type FragmentDefinitionNode,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';

/** What one operation may ask for. Each bound is inclusive. */
export interface OperationLimits {
  /** Characters of GraphQL text. */
  readonly sourceLengthMax: number;
  readonly tokensMax: number;
  /** Nested brackets of any kind: what the recursive parser has to bear. */
  readonly nestingMax: number;
  /** Nested selection sets; a root field has depth 1. */
  readonly depthMax: number;
  readonly aliasesMax: number;
  readonly rootFieldsMax: number;
  readonly directivesMax: number;
  /** Fields after all fragments are spread. */
  readonly costMax: number;
  /** Pairs of fields that answer to the same name at the same place and so must be compared with each other. */
  readonly overlapsMax: number;
}

/** GraphiQL's own introspection query has depth 14 and costs about 200. */
export const defaultLimits: OperationLimits = {
  sourceLengthMax: 100_000,
  tokensMax: 5_000,
  nestingMax: 64,
  depthMax: 20,
  aliasesMax: 50,
  rootFieldsMax: 30,
  directivesMax: 50,
  costMax: 500,
  overlapsMax: 2_000,
};

/** Thrown for an operation beyond a limit; the message names the limit, its bound, and the value where it was counted. */
export class OperationTooComplexError extends GraphQLError {}

function refuse(limit: string, bound: number, value: number | undefined, settingName: keyof OperationLimits): never {
  const counted = value === undefined || !Number.isFinite(value) ? 'more' : String(value);
  throw new OperationTooComplexError(
    `The operation exceeds the limit of ${bound} ${limit}: it has ${counted} (${settingName}).`,
  );
}

/**
 * Parses GraphQL text in linear time, whatever it holds: length, tokens and nesting are bounded before the parser,
 * which is recursive, sees it.
 *
 * @throws OperationTooComplexError, or graphql's GraphQLError for a syntax error
 */
export function parseWithinLimits(text: string, limits: OperationLimits): DocumentNode {
  if (text.length > limits.sourceLengthMax)
    refuse('characters', limits.sourceLengthMax, text.length, 'sourceLengthMax');
  const lexer = new Lexer(new Source(text));
  let tokens = 0;
  let nesting = 0;
  for (let token = lexer.advance(); token.kind !== TokenKind.EOF; token = lexer.advance()) {
    tokens += 1;
    if (tokens > limits.tokensMax) refuse('tokens', limits.tokensMax, undefined, 'tokensMax');
    if (token.kind === TokenKind.BRACE_L || token.kind === TokenKind.BRACKET_L || token.kind === TokenKind.PAREN_L) {
      nesting += 1;
      if (nesting > limits.nestingMax) refuse('nested brackets', limits.nestingMax, undefined, 'nestingMax');
    } else if (
      token.kind === TokenKind.BRACE_R ||
      token.kind === TokenKind.BRACKET_R ||
      token.kind === TokenKind.PAREN_R
    ) {
      nesting -= 1;
    }
  }
  return parse(text);
}

/** What a selection set amounts to, fragments included. Sums may become Infinity: a fragment bomb counts itself only once. */
interface Measure {
  readonly depth: number;
  readonly cost: number;
  readonly aliases: number;
  readonly directives: number;
  /** Fields at the top level of this selection set. */
  readonly width: number;
}

const nothing: Measure = { depth: 0, cost: 0, aliases: 0, directives: 0, width: 0 };

/**
 * Holds a document against the limits, before graphql's own validation, some rules of which take quadratic time.
 * Takes time linear in the document: each fragment is measured once. Needs no schema, so unknown fields count too.
 * Costs are summed over all operations of the document, and over fragments that none of them uses.
 *
 * @throws OperationTooComplexError, or a plain GraphQLError for a fragment that spreads itself
 */
export function checkLimits(document: DocumentNode, limits: OperationLimits): void {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const { measureFragment, isMeasured } = fragmentMeasurer(fragments);
  let documentCost = 0;

  const check = (definition: OperationDefinitionNode | FragmentDefinitionNode): void => {
    const { depth, cost, aliases, directives, width } = measure(definition.selectionSet, measureFragment);
    const ofVariables =
      definition.variableDefinitions?.reduce((sum, variable) => sum + (variable.directives?.length ?? 0), 0) ?? 0;
    const allDirectives = directives + (definition.directives?.length ?? 0) + ofVariables;
    documentCost += cost;
    if (depth > limits.depthMax) refuse('levels of depth', limits.depthMax, depth, 'depthMax');
    if (aliases > limits.aliasesMax) refuse('aliases', limits.aliasesMax, aliases, 'aliasesMax');
    if (definition.kind === Kind.OPERATION_DEFINITION && width > limits.rootFieldsMax) {
      refuse('root fields', limits.rootFieldsMax, width, 'rootFieldsMax');
    }
    if (allDirectives > limits.directivesMax)
      refuse('directives', limits.directivesMax, allDirectives, 'directivesMax');
    if (documentCost > limits.costMax) refuse('fields in all (cost)', limits.costMax, documentCost, 'costMax');
    const overlaps = countOverlaps(definition.selectionSet, fragments);
    if (overlaps > limits.overlapsMax) refuse('overlapping fields', limits.overlapsMax, overlaps, 'overlapsMax');
  };

  for (const definition of document.definitions) if (definition.kind === Kind.OPERATION_DEFINITION) check(definition);
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION && !isMeasured(definition.name.value)) check(definition);
  }
}

type MeasureFragment = (name: string) => Measure;

function fragmentMeasurer(fragments: ReadonlyMap<string, FragmentDefinitionNode>) {
  const measured = new Map<string, Measure | 'under way'>();
  const measureFragment: MeasureFragment = (name) => {
    const known = measured.get(name);
    if (known === 'under way') throw new GraphQLError(`Cannot spread fragment "${name}" within itself.`);
    if (known !== undefined) return known;
    const fragment = fragments.get(name);
    if (fragment === undefined) return nothing;
    measured.set(name, 'under way');
    const result = measure(fragment.selectionSet, measureFragment);
    measured.set(name, result);
    return result;
  };
  return { measureFragment, isMeasured: (name: string) => measured.has(name) };
}

function measure(selectionSet: SelectionSetNode, measureFragment: MeasureFragment): Measure {
  let [depth, cost, aliases, directives, width] = [0, 0, 0, 0, 0];
  for (const selection of selectionSet.selections) {
    directives += selection.directives?.length ?? 0;
    if (selection.kind === Kind.FIELD) {
      const inner = selection.selectionSet === undefined ? nothing : measure(selection.selectionSet, measureFragment);
      depth = Math.max(depth, 1 + inner.depth);
      cost += 1 + inner.cost;
      aliases += (selection.alias === undefined ? 0 : 1) + inner.aliases;
      directives += inner.directives;
      width += 1;
    } else {
      const inner =
        selection.kind === Kind.FRAGMENT_SPREAD
          ? measureFragment(selection.name.value)
          : measure(selection.selectionSet, measureFragment);
      depth = Math.max(depth, inner.depth);
      // A spread costs something even where it is empty, or a tree of empty fragments would be free.
      cost += 1 + inner.cost;
      aliases += inner.aliases;
      directives += inner.directives;
      width += inner.width;
    }
  }
  return { depth, cost, aliases, directives, width };
}

/**
 * Counts, over all places of the answer, the pairs of fields that meet there. The cost limit has bounded the number of
 * fields before, fragments spread, so this walk is short.
 */
function countOverlaps(root: SelectionSetNode, fragments: ReadonlyMap<string, FragmentDefinitionNode>): number {
  let pairs = 0;
  let level: SelectionSetNode[][] = [[root]];
  while (level.length > 0) {
    const next: SelectionSetNode[][] = [];
    for (const selectionSets of level) {
      const byName = new Map<string, { count: number; inner: SelectionSetNode[] }>();
      for (const selectionSet of selectionSets) collectFields(selectionSet, fragments, byName);
      for (const { count, inner } of byName.values()) {
        pairs += (count * (count - 1)) / 2;
        if (inner.length > 0) next.push(inner);
      }
    }
    level = next;
  }
  return pairs;
}

function collectFields(
  selectionSet: SelectionSetNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  byName: Map<string, { count: number; inner: SelectionSetNode[] }>,
): void {
  for (const selection of selectionSet.selections) {
    if (selection.kind === Kind.FIELD) {
      const name = (selection.alias ?? selection.name).value;
      let entry = byName.get(name);
      if (entry === undefined) byName.set(name, (entry = { count: 0, inner: [] }));
      entry.count += 1;
      if (selection.selectionSet !== undefined) entry.inner.push(selection.selectionSet);
    } else if (selection.kind === Kind.INLINE_FRAGMENT) {
      collectFields(selection.selectionSet, fragments, byName);
    } else {
      const fragment = fragments.get(selection.name.value);
      if (fragment !== undefined) collectFields(fragment.selectionSet, fragments, byName);
    }
  }
}
