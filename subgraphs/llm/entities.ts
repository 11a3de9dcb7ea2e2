import { defineEntity, p } from '@mikro-orm/core';

/** Rows of `llm.llm_requests`, for reading; the ledger alone writes them. */
export const LlmRequestEntity = defineEntity({
  name: 'LlmRequestEntity',
  tableName: 'llm_requests',
  properties: {
    id: p.uuid().primary(),
    requestId: p.text(),
    kind: p.text().$type<'COMPLETION' | 'EMBEDDING'>(),
    microdaoId: p.text(),
    agentId: p.text().nullable(),
    subject: p.text(),
    actor: p.text().nullable(),
    requestedModel: p.text(),
    provider: p.text(),
    model: p.text(),
    status: p.text().$type<'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'INTERRUPTED'>(),
    errorCode: p.text().nullable(),
    inputTokens: p.bigint('number'),
    outputTokens: p.bigint('number'),
    cachedInputTokens: p.bigint('number'),
    reasoningTokens: p.bigint('number'),
    costUsd: p.decimal('string').nullable(),
    estimated: p.boolean(),
    priceVersion: p.text().nullable(),
    createdAt: p.datetime(),
    settledAt: p.datetime().nullable(),
    latencyMs: p.integer().nullable(),
    ttftMs: p.integer().nullable(),
  },
});

/** Rows of `llm.llm_attempts`: the upstream calls of a request, numbered from 1. */
export const LlmAttemptEntity = defineEntity({
  name: 'LlmAttemptEntity',
  tableName: 'llm_attempts',
  primaryKeys: ['llmRequestId', 'number'],
  properties: {
    llmRequestId: p.uuid().primary(),
    number: p.smallint().primary(),
    provider: p.text(),
    model: p.text(),
    status: p.text().$type<'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'INTERRUPTED'>(),
    errorCode: p.text().nullable(),
    inputTokens: p.bigint('number'),
    outputTokens: p.bigint('number'),
    cachedInputTokens: p.bigint('number'),
    reasoningTokens: p.bigint('number'),
    costUsd: p.decimal('string').nullable(),
    estimated: p.boolean(),
    priceVersion: p.text().nullable(),
    startedAt: p.datetime(),
    latencyMs: p.integer().nullable(),
    ttftMs: p.integer().nullable(),
  },
});

export const entities = [LlmRequestEntity, LlmAttemptEntity];
