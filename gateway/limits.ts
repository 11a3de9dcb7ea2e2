/** What one operation may ask for. Each bound is inclusive. */
export interface OperationLimits {
  /** Characters of GraphQL text. */
  readonly sourceLengthMax: number;
  readonly tokensMax: number;
  /** Nested selection sets, the root fields being depth 1. */
  readonly depthMax: number;
  readonly aliasesMax: number;
  readonly rootFieldsMax: number;
  readonly directivesMax: number;
  /** Fields selected after fragments are spread; a field deeper down weighs more. */
  readonly costMax: number;
}
