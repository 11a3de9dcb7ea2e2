import { isNonNullType, parse, type GraphQLSchema } from 'graphql';
import { errorCatalogue, type ErrorCode } from '#platform/errors.ts';
import { connectionNodes } from './compiled-route.ts';
import { InputSchemas, outputSchema } from './json-schemas.ts';
import { openAiErrorSchema } from './openai-schemas.ts';
import { plainRoutes } from './openapi-plain-routes.ts';
import { rootShape } from './output-shape.ts';
import { resolveTarget, variableTypes } from './operation-variables.ts';
import type { JsonSchema, RestGroup, RestRoute } from './route.ts';
import { steeringTypes } from './steering.ts';

/** Codes that any route of the table may answer. */
const commonErrorCodes: readonly ErrorCode[] = [
  'BAD_REQUEST',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'METHOD_NOT_ALLOWED',
  'INVALID_INPUT',
  'RATE_LIMITED',
  'INTERNAL_ERROR',
  'SUBGRAPH_BAD_RESPONSE',
  'SUBGRAPH_UNAVAILABLE',
  'DATABASE_UNAVAILABLE',
  'SHUTTING_DOWN',
  'DEADLINE_EXCEEDED',
];
const bodyErrorCodes: readonly ErrorCode[] = ['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'];

const restErrorSchema: JsonSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message', 'retryable', 'request_id'],
      properties: {
        code: { type: 'string', enum: Object.keys(errorCatalogue) },
        message: { type: 'string' },
        retryable: { type: 'boolean', description: 'Whether the very same request may succeed later.' },
        request_id: { type: 'string', description: 'Finds the request in the logs.' },
        details: {
          type: 'array',
          description: 'Every field that was wrong, by its path.',
          items: {
            type: 'object',
            required: ['path', 'reason'],
            properties: { path: { type: 'string', examples: ['messages[0].role'] }, reason: { type: 'string' } },
          },
        },
      },
    },
  },
};

/**
 * The OpenAPI 3.1 document of the REST table, with types from the GraphQL schema: what the routes really take and
 * give, not a second description of it.
 */
export function createOpenApi(groups: readonly RestGroup[], schema: GraphQLSchema): JsonSchema {
  const inputs = new InputSchemas();
  const paths: Record<string, Record<string, unknown>> = {};
  for (const group of groups) {
    for (const route of group.routes) {
      const path = group.prefix + route.path.replaceAll('+}', '}');
      (paths[path] ??= {})[route.method.toLowerCase()] = describeRoute(group, route, schema, inputs);
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'agent-supergraph',
      version: '1',
      description: 'The supergraph over REST. The same operations, and more, are at `/graphql`.',
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    tags: [
      ...groups.map(({ tag, description }) => ({ name: tag, description })),
      { name: 'Process', description: 'Health and figures of this process; no token needed.' },
    ],
    paths: { ...paths, ...plainRoutes },
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'Made by `npm run --silent token`.',
        },
      },
      schemas: { ...inputs.components, Error: restErrorSchema, OpenAiError: openAiErrorSchema },
    },
  };
}

function describeRoute(group: RestGroup, route: RestRoute, schema: GraphQLSchema, inputs: InputSchemas): JsonSchema {
  const { request, response, stream, description } = route;
  const answers = { 'application/json': { schema: answerSchema(route, schema) } };
  const events = stream && { 'text/event-stream': { schema: eventSchema(route, schema) } };
  return {
    operationId: route.name,
    tags: [group.tag],
    summary: route.summary,
    ...(description === undefined ? {} : { description }),
    parameters: describeParameters(route, schema, inputs),
    ...(request.body === undefined ? {} : { requestBody: describeBody(route, schema, inputs) }),
    responses: {
      [response.status ?? 200]: {
        description: stream === undefined ? 'The answer.' : 'The answer; with `stream: true` its events.',
        headers: { 'x-request-id': { schema: { type: 'string' } } },
        content: { ...answers, ...events },
      },
      ...describeErrors(group, route),
    },
  };
}

function answerSchema({ operation, response }: RestRoute, schema: GraphQLSchema): JsonSchema {
  if ('render' in response) return response.schema;
  const { shape } = rootShape(schema, parse(operation));
  const { list, leftOutWhenNull } = response;
  // A null root is an error answer.
  if (list === undefined) return outputSchema({ ...shape, nullable: false }, leftOutWhenNull);
  return {
    type: 'object',
    required: [list],
    properties: {
      [list]: outputSchema(connectionNodes(shape), leftOutWhenNull),
      next_cursor: { type: 'string', description: '`after` of the next page; absent on the last one.' },
    },
  };
}

function eventSchema({ stream }: RestRoute, schema: GraphQLSchema): JsonSchema {
  if (stream === undefined) return {};
  const event =
    stream.format.schema ??
    outputSchema({ ...rootShape(schema, parse(stream.operation)).shape, nullable: false }, stream.leftOutWhenNull);
  return {
    ...event,
    description:
      'The JSON of one `data:` line. Lines that begin with a colon mean nothing; the last is `data: [DONE]`.',
  };
}

function describeBody({ request, operation }: RestRoute, schema: GraphQLSchema, inputs: InputSchemas): JsonSchema {
  const { body } = request;
  if (body === undefined) return {};
  return {
    required: true,
    content: {
      'application/json': {
        schema: body.schema ?? bodySchema(),
        ...(body.example === undefined ? {} : { example: body.example }),
      },
    },
  };

  function bodySchema(): JsonSchema {
    const type = variableTypes(schema, parse(operation)).get(body?.variable ?? '');
    const reference = type === undefined ? {} : inputs.schemaOf(type);
    const steering = body === undefined ? {} : steeringTypes(body, schema);
    const properties = Object.fromEntries(
      Object.entries(steering).map(([name, steeringType]) => [name, inputs.schemaOf(steeringType)]),
    );
    if (Object.keys(properties).length === 0) return reference;
    // `additionalProperties: false` of the component would refuse the steering fields beside it.
    const component = inputs.components[(reference['$ref'] as string).split('/').at(-1) ?? ''] ?? {};
    return { ...component, properties: { ...(component['properties'] as object), ...properties } };
  }
}

function describeParameters(
  { request, operation }: RestRoute,
  schema: GraphQLSchema,
  inputs: InputSchemas,
): JsonSchema[] {
  const types = variableTypes(schema, parse(operation));
  const describe = (place: 'path' | 'query' | 'header', parameters: Readonly<Record<string, string>> = {}) =>
    Object.entries(parameters).map(([name, target]) => {
      const { type, description } = resolveTarget(target, types);
      return {
        name: name.replace(/\+$/, ''),
        in: place,
        required: place === 'path' || (place === 'query' && isNonNullType(type)),
        ...(description === undefined ? {} : { description }),
        schema: inputs.schemaOf(type),
      };
    });
  return [
    ...describe('path', request.path),
    ...describe('query', request.query),
    ...describe('header', request.headers),
  ];
}

function describeErrors(group: RestGroup, { request, errorCodes = [] }: RestRoute): Record<string, JsonSchema> {
  const byStatus = new Map<number, Set<ErrorCode>>();
  for (const code of [...commonErrorCodes, ...(request.body === undefined ? [] : bodyErrorCodes), ...errorCodes]) {
    const { status } = errorCatalogue[code];
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code));
  }
  const name = group.errors === 'openai' ? 'OpenAiError' : 'Error';
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      {
        description: [...codes].map((code) => `\`${code}\`: ${errorCatalogue[code].meaning}`).join('\n\n'),
        ...(status === 429 || status === 503
          ? { headers: { 'retry-after': { schema: { type: 'integer', description: 'Seconds.' } } } }
          : {}),
        content: { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } },
      },
    ]),
  );
}
