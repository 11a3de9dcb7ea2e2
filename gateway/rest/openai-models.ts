import type { FastifyReply } from 'fastify';

interface GraphqlModel {
  readonly id: string;
  readonly provider: string;
}

/** Under the name it was asked for, which may be an alias: clients compare the two. */
export const toAskedModel = (model: GraphqlModel, _body: unknown, { request }: FastifyReply): unknown =>
  toOpenAiModel({ ...model, id: (request.params as Record<string, string>)['*'] ?? model.id });

/** https://platform.openai.com/docs/api-reference/models/object. When a model came into being is not known here. */
const toOpenAiModel = ({ id, provider }: GraphqlModel): unknown => ({
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
