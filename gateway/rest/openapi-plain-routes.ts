import type { JsonSchema } from './route.ts';

const readiness: JsonSchema = {
  type: 'object',
  required: ['status', 'checks'],
  properties: {
    status: { enum: ['ok', 'degraded', 'unready'] },
    checks: {
      type: 'object',
      additionalProperties: {
        type: 'object',
        required: ['status', 'latency_ms'],
        properties: { status: { enum: ['ok', 'failed'] }, latency_ms: { type: 'number' } },
      },
    },
  },
};

const open = { tags: ['Process'], security: [] };

/** What every process answers without GraphQL behind it (`platform/health.ts`, `platform/http-server.ts`). */
export const plainRoutes: Readonly<Record<string, JsonSchema>> = {
  '/health/live': {
    get: {
      ...open,
      operationId: 'HealthLive',
      summary: 'The process runs',
      responses: {
        200: {
          description: 'It does.',
          content: {
            'application/json': {
              schema: { type: 'object', required: ['status'], properties: { status: { const: 'ok' } } },
            },
          },
        },
      },
    },
  },
  '/health/ready': {
    get: {
      ...open,
      operationId: 'HealthReady',
      summary: 'What the process needs works',
      responses: {
        200: {
          description: 'It can serve; `degraded` where something optional fails.',
          content: { 'application/json': { schema: readiness } },
        },
        503: { description: 'It cannot serve.', content: { 'application/json': { schema: readiness } } },
      },
    },
  },
  '/metrics': {
    get: {
      ...open,
      operationId: 'Metrics',
      summary: 'Figures for Prometheus',
      responses: {
        200: { description: "Prometheus' text format.", content: { 'text/plain': { schema: { type: 'string' } } } },
      },
    },
  },
};
