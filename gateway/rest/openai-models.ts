interface GraphqlModel {
  readonly id: string;
  readonly provider: string;
}

/** https://platform.openai.com/docs/api-reference/models/object. When a model came into being is not known here. */
export const toOpenAiModel = ({ id, provider }: GraphqlModel): unknown => ({
  id,
  object: 'model',
  created: 0,
  owned_by: provider,
});

/** Only what can be used now: clients offer the whole list to their users. */
export const toOpenAiModelList = ({
  nodes,
}: {
  readonly nodes: readonly (GraphqlModel & { readonly available: boolean })[];
}): unknown => ({
  object: 'list',
  data: nodes.filter(({ available }) => available).map(toOpenAiModel),
});
