import { countInputChars, readCompleteInput } from './completion-input.ts';
import { idempotencyClaim, type IdempotencyClaim } from './idempotency.ts';
import { providerFor, type Asker, type LlmDependencies } from './llm-dependencies.ts';
import { requireCapabilities } from './model-catalogue.ts';
import type { Provider, ProviderRequest } from './providers/provider.ts';
import type { CompleteInput } from './resolver-types.ts';
import type { Intent } from './usage-ledger-rows.ts';

/** A completion that is known to be answerable: checked, its model resolved, ready to be opened in the ledger. */
export interface PreparedCompletion {
  readonly request: ProviderRequest;
  readonly provider: Provider;
  readonly intent: Intent;
  readonly claim: IdempotencyClaim | undefined;
  /** `performance.now()` when the request came; latencies count from here. */
  readonly startedAt: number;
}

/**
 * @throws AppError INVALID_INPUT, MODEL_NOT_FOUND, PROVIDER_NOT_CONFIGURED or UNSUPPORTED_BY_MODEL; nothing was
 *   recorded then, because nothing was asked of a provider
 */
export async function prepareCompletion(
  llm: LlmDependencies,
  asker: Asker,
  input: CompleteInput,
): Promise<PreparedCompletion> {
  const startedAt = performance.now();
  const request = readCompleteInput(input);
  const model = await llm.catalogue.resolve(input.model, 'chat');
  requireCapabilities(model, request);
  const claim = idempotencyClaim(asker.caller.subject, asker.microdaoId, asker.agentId, 'complete', input);
  return {
    request: { ...request, model: model.name },
    provider: providerFor(llm, model.provider),
    claim,
    startedAt,
    intent: {
      requestId: asker.requestId,
      kind: 'COMPLETION',
      microdaoId: asker.microdaoId,
      agentId: asker.agentId ?? null,
      subject: asker.caller.subject,
      actor: asker.caller.actor ?? null,
      requestedModel: input.model,
      provider: model.provider,
      model: model.name,
      price: model.price,
      priceVersion: model.price?.version ?? null,
      inputChars: countInputChars(request),
      idempotency: claim,
    },
  };
}
