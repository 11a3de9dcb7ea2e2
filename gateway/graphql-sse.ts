import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FormattedExecutionResult } from 'graphql';
import type { Caller } from '#platform/caller.ts';
import { AppError } from '#platform/errors.ts';
import type { Logger } from '#platform/logging.ts';
import { SseResponse } from '#platform/sse-response.ts';
import { runAsStream, type ClientPreparation } from './client-operation.ts';
import { abortReason, type ClientSession } from './client-session.ts';
import { fromAppError, maskExecutionErrors } from './graphql-errors.ts';
import type { Supergraph } from './supergraph.ts';

export interface EventsOptions {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Ended here when the client leaves or the stream is over. */
  readonly session: ClientSession;
  readonly supergraph: Supergraph;
  readonly prepared: ClientPreparation;
  readonly variables: Readonly<Record<string, unknown>> | undefined;
  readonly caller: Caller;
  readonly logger: Logger;
}

/**
 * Answers one operation as graphql-sse's distinct connection: `next` events, then `complete`
 * (https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md). An operation that is refused is one `next` with
 * `errors`, as that protocol has it. An event is taken from the source only when the socket took the one before.
 */
export async function streamAsEvents({
  request,
  reply,
  session,
  supergraph,
  prepared,
  variables,
  caller,
  logger,
}: EventsOptions): Promise<void> {
  const { signal } = session;
  const requestId = request.id;
  const onClose = () => session.end(new AppError('CLIENT_CLOSED_REQUEST', 'The client left the stream.'));
  reply.raw.once('close', onClose);
  const response = new SseResponse(reply, signal);

  const send = (result: FormattedExecutionResult) => response.write(`event: next\ndata: ${JSON.stringify(result)}\n\n`);
  try {
    if (prepared.operation === undefined) {
      await send({ errors: prepared.errors });
    } else {
      const traceparent = request.headers['traceparent'];
      const context = {
        variables,
        caller,
        requestId,
        traceparent: typeof traceparent === 'string' ? traceparent : undefined,
      };
      for await (const result of runAsStream(supergraph, prepared.operation, context, signal)) {
        await send(result);
      }
    }
  } catch (error) {
    void send({
      errors: signal.aborted
        ? [fromAppError(abortReason(signal), requestId)]
        : maskExecutionErrors([error], { requestId, logger }),
    });
  } finally {
    reply.raw.off('close', onClose);
    session.end(new AppError('CLIENT_CLOSED_REQUEST', 'The stream is over.'));
    void response.write('event: complete\ndata:\n\n');
    response.end();
  }
}
