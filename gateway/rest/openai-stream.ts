import type { JsonSchema, StreamContext, StreamEvent, StreamFormat, StreamWriter } from './route.ts';
import { AppError, isErrorCode } from '#platform/errors.ts';
import { extension, toOpenAiUsage, unixSeconds, type GraphqlUsage } from './openai-answer.ts';
import { toOpenAiErrorBody } from './openai-errors.ts';
import { isJsonObject } from './input-mapping.ts';
import { dataLine, doneLine } from './rest-events.ts';

/** The subscription's events as `routes-openai.ts` selects them. */
type GraphqlEvent =
  | {
      readonly type: 'STARTED';
      readonly id: string;
      readonly requestId: string;
      readonly model: string;
      readonly provider: string;
      readonly createdAt: string;
    }
  | { readonly type: 'TEXT' | 'REASONING' | 'REFUSAL'; readonly text: string }
  | {
      readonly type: 'TOOL_CALL';
      readonly index: number;
      readonly id: string | null;
      readonly name: string | null;
      readonly arguments: string;
    }
  | {
      readonly type: 'FINISHED';
      readonly finishReason: string;
      readonly usage: GraphqlUsage;
      readonly providerState: unknown;
    }
  | {
      readonly type: 'FAILED';
      readonly error: { readonly code: string; readonly message: string; readonly retryAfterMs: number | null };
    };

/**
 * OpenAI's `chat.completion.chunk` stream: https://platform.openai.com/docs/api-reference/chat/streaming.
 * A failure is a line with `error`, which official clients throw, and no `[DONE]`.
 */
export function openAiChunks(schema: JsonSchema): StreamFormat {
  return { schema, createWriter };
}

function createWriter({ requestId, body }: StreamContext): StreamWriter {
  const includeUsage =
    isJsonObject(body) && isJsonObject(body['stream_options']) && body['stream_options']['include_usage'] === true;
  let head: { id: string; object: string; created: number; model: string } = {
    id: requestId,
    object: 'chat.completion.chunk',
    created: 0,
    model: '',
  };
  let provider = '';
  let answerRequestId = requestId;
  let roleSent = false;

  const chunk = (
    delta: Record<string, unknown>,
    finishReason: string | null,
    more: Record<string, unknown> = {},
  ): string =>
    dataLine({
      ...head,
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
      ...(includeUsage ? { usage: null } : {}),
      ...more,
    });
  // OpenAI's first chunk has the role; here it travels with the first piece of the answer.
  const piece = (delta: Record<string, unknown>): string => {
    if (roleSent) return chunk(delta, null);
    roleSent = true;
    return chunk({ role: 'assistant', ...delta }, null);
  };

  const write = (event: GraphqlEvent): string => {
    switch (event.type) {
      case 'STARTED':
        head = { id: event.id, object: head.object, created: unixSeconds(event.createdAt), model: event.model };
        ({ provider, requestId: answerRequestId } = event);
        return piece({ content: '' });
      case 'TEXT':
        return piece({ content: event.text });
      case 'REASONING':
        return piece({ reasoning_content: event.text });
      case 'REFUSAL':
        return piece({ refusal: event.text });
      case 'TOOL_CALL':
        return piece({ tool_calls: [toolCallDelta(event)] });
      case 'FINISHED': {
        const x_supergraph = extension(provider, answerRequestId, event.usage);
        const state = event.providerState === null ? {} : { provider_state: event.providerState };
        const finish = chunk(state, event.finishReason.toLowerCase(), { x_supergraph });
        return (
          finish +
          (includeUsage ? dataLine({ ...head, choices: [], usage: toOpenAiUsage(event.usage) }) : '') +
          doneLine
        );
      }
      case 'FAILED': {
        const { code, message } = event.error;
        return failure(new AppError(isErrorCode(code) ? code : 'INTERNAL_ERROR', message));
      }
      default:
        // A kind of event that is newer than OpenAI's format.
        return '';
    }
  };
  const failure = (error: AppError): string => dataLine(toOpenAiErrorBody(error, answerRequestId));
  return { event: (event: StreamEvent) => write(event as GraphqlEvent), failure };
}

/** Id, type and name come with a call's first piece only; official clients add every later one up. */
function toolCallDelta({
  index,
  id,
  name,
  arguments: argumentsText,
}: Extract<GraphqlEvent, { type: 'TOOL_CALL' }>): Record<string, unknown> {
  return {
    index,
    ...(id === null ? {} : { id, type: 'function' }),
    function: { ...(name === null ? {} : { name }), arguments: argumentsText },
  };
}
