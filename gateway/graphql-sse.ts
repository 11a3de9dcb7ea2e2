import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FormattedExecutionResult } from 'graphql';
import type { ServerResponse } from 'node:http';
import type { Caller } from '#platform/caller.ts';
import { AppError } from '#platform/errors.ts';
import type { Logger } from '#platform/logging.ts';
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

// Proxies close what is silent for a minute; some for half of that.
const pingIntervalMs = 12_000;

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
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>),
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  });
  raw.flushHeaders();
  // Small events are worth nothing late.
  raw.socket?.setNoDelay(true);
  const onClose = () => session.end(new AppError('CLIENT_CLOSED_REQUEST', 'The client left the stream.'));
  raw.once('close', onClose);
  const ping = setInterval(() => raw.write(':\n\n'), pingIntervalMs);

  const send = (result: FormattedExecutionResult): boolean =>
    raw.write(`event: next\ndata: ${JSON.stringify(result)}\n\n`);
  try {
    if (prepared.operation === undefined) {
      send({ errors: prepared.errors });
    } else {
      const traceparent = request.headers['traceparent'];
      const context = {
        variables,
        caller,
        requestId,
        traceparent: typeof traceparent === 'string' ? traceparent : undefined,
      };
      for await (const result of runAsStream(supergraph, prepared.operation, context, signal)) {
        if (!send(result)) await drained(raw, signal);
      }
    }
  } catch (error) {
    send({
      errors: signal.aborted
        ? [fromAppError(abortReason(signal), requestId)]
        : maskExecutionErrors([error], { requestId, logger }),
    });
  } finally {
    clearInterval(ping);
    raw.off('close', onClose);
    session.end(new AppError('CLIENT_CLOSED_REQUEST', 'The stream is over.'));
    raw.end('event: complete\ndata:\n\n');
  }
}

/** Rejects when the signal aborts, as the client that does not read may never drain. */
function drained(raw: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onDrain = () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    const onAbort = () => {
      raw.off('drain', onDrain);
      reject(signal.reason);
    };
    if (signal.aborted) return reject(signal.reason);
    raw.once('drain', onDrain);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
