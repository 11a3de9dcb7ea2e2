import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { answerByModelName, type MockAnswer, type MockBehaviour, type RecordedRequest } from './answers.ts';
import { anthropicError, anthropicEvents, anthropicMessage, anthropicStreamError } from './anthropic-wire.ts';
import {
  openaiCompletion,
  openaiEmbeddings,
  openaiError,
  openaiEvents,
  openaiModels,
  openaiStreamError,
} from './openai-wire.ts';

export interface MockUpstreamOptions {
  /** 0, the default, takes any free port. */
  readonly port?: number;
  readonly host?: string;
  /** Most requests kept in `requests`, the oldest leave first; 0 keeps none. Default 1,000. */
  readonly recordMax?: number;
  /** When set, requests with another key (`authorization: Bearer` or `x-api-key`) are answered 401. */
  readonly apiKey?: string;
  /** What `GET …/models` lists. */
  readonly models?: readonly string[];
}

/**
 * Providers' real wire formats over HTTP: OpenAI's chat completions, embeddings and models (so DeepSeek, Ollama, vLLM,
 * llama.cpp too) and Anthropic's messages, whole and streamed. The request's model name says how it is answered
 * (`answers.ts` lists the names), unless `setBehaviour` or `answerNext` was told otherwise.
 */
export interface MockUpstream {
  /** `http://127.0.0.1:port`; also DeepSeek's base URL. */
  readonly url: string;
  /** `…/v1`, for OPENAI_BASE_URL and LOCAL_LLM_BASE_URL. */
  readonly openaiBaseUrl: string;
  /** For ANTHROPIC_BASE_URL. */
  readonly anthropicBaseUrl: string;
  /** The newest requests, in the order they came. */
  readonly requests: RecordedRequest[];
  /** Connections opened since the start. */
  readonly connections: () => number;
  /** How requests for a model are answered from now on; `*` stands for all others. Undefined takes it back. */
  setBehaviour(model: string, behaviour: MockBehaviour | undefined): void;
  /** Answers the next requests in this order, whatever their model. */
  answerNext(...behaviours: readonly MockBehaviour[]): void;
  setModels(models: readonly string[]): void;
  /** Forgets requests and behaviours. */
  reset(): void;
  /** Ends all connections at once. */
  close(): Promise<void>;
}

type Protocol = 'openai' | 'anthropic';

export async function startMockUpstream(options: MockUpstreamOptions = {}): Promise<MockUpstream> {
  const recordMax = options.recordMax ?? 1000;
  const requests: RecordedRequest[] = [];
  const behaviours = new Map<string, MockBehaviour>();
  const next: MockBehaviour[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  let models = options.models ?? ['llama3.2', 'qwen3'];

  const answerFor = (request: RecordedRequest): MockAnswer => {
    const behaviour = next.shift() ?? behaviours.get(request.model) ?? behaviours.get('*') ?? answerByModelName;
    return typeof behaviour === 'function' ? behaviour(request) : behaviour;
  };

  const handle = (incoming: IncomingMessage, response: ServerResponse, raw: string): void => {
    const path = (incoming.url ?? '').split('?', 1)[0] ?? '';
    const protocol: Protocol = path.endsWith('/messages') ? 'anthropic' : 'openai';
    const body = parseBody(raw);
    const model = typeof body?.['model'] === 'string' ? body['model'] : '';
    const request: RecordedRequest = {
      method: incoming.method ?? '',
      path,
      headers: incoming.headers,
      body: body ?? {},
      model,
      receivedAt: performance.now(),
      aborted: false,
      abortedAt: undefined,
    };
    if (recordMax > 0) {
      requests.push(request);
      if (requests.length > recordMax) requests.shift();
    }
    response.once('close', () => {
      if (response.writableFinished) return;
      request.aborted = true;
      request.abortedAt = performance.now();
    });
    if (options.apiKey !== undefined && keyOf(incoming) !== options.apiKey)
      return sendError(response, protocol, 401, {}, model);
    if (path.endsWith('/models')) return sendJson(response, 200, openaiModels(models));
    const known = path.endsWith('/chat/completions') || path.endsWith('/embeddings') || protocol === 'anthropic';
    if (!known) return sendJson(response, 404, { error: { message: `Unknown path ${path}` } });
    if (body === undefined)
      return sendError(response, protocol, 400, { error: { message: 'The body is not JSON.' } }, model);
    const answer = answerFor(request);
    const respond = (): void => {
      if (!response.destroyed) send(response, protocol, request, answer, raw.length);
    };
    if (answer.delayMs === undefined || answer.delayMs === 0) respond();
    else setTimeout(respond, answer.delayMs).unref();
  };

  const server = createServer((incoming, response) => {
    if (incoming.method === 'GET') return handle(incoming, response, '');
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () =>
      handle(incoming, response, chunks.length === 1 ? String(chunks[0]) : Buffer.concat(chunks).toString()),
    );
    incoming.on('error', () => response.destroy());
  });
  server.keepAliveTimeout = 60_000;
  server.on('connection', (socket) => {
    connections += 1;
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve);
  });
  const url = `http://${options.host ?? '127.0.0.1'}:${(server.address() as AddressInfo).port}`;

  return {
    url,
    openaiBaseUrl: `${url}/v1`,
    anthropicBaseUrl: url,
    requests,
    connections: () => connections,
    setBehaviour: (model, behaviour) =>
      void (behaviour === undefined ? behaviours.delete(model) : behaviours.set(model, behaviour)),
    answerNext: (...answers) => void next.push(...answers),
    setModels: (names) => void (models = names),
    reset: () => {
      requests.length = 0;
      next.length = 0;
      behaviours.clear();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function parseBody(raw: string): Record<string, unknown> | undefined {
  if (raw === '') return {};
  try {
    return JSON.parse(raw) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

const keyOf = (incoming: IncomingMessage): string | undefined => {
  const key = incoming.headers['x-api-key'];
  return typeof key === 'string' ? key : incoming.headers.authorization?.replace(/^Bearer /, '');
};

function sendText(
  response: ServerResponse,
  status: number,
  type: string,
  body: string,
  headers?: Readonly<Record<string, string>>,
): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body), ...headers });
  response.end(body);
}

const sendJson = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers?: Readonly<Record<string, string>>,
): void => sendText(response, status, 'application/json', JSON.stringify(body), headers);

function sendError(
  response: ServerResponse,
  protocol: Protocol,
  status: number,
  answer: MockAnswer,
  model: string,
): void {
  const body = protocol === 'openai' ? openaiError(status, answer, model) : anthropicError(status, answer, model);
  const headers = status === 429 ? { 'retry-after': '2', 'retry-after-ms': '1500', ...answer.headers } : answer.headers;
  sendJson(response, status, body, headers);
}

function send(
  response: ServerResponse,
  protocol: Protocol,
  request: RecordedRequest,
  answer: MockAnswer,
  bodyBytes: number,
): void {
  const status = answer.status ?? 200;
  const stream = request.body['stream'] === true;
  if (typeof answer.body === 'string') {
    return sendText(
      response,
      status,
      stream && status === 200 ? 'text/event-stream' : 'application/json',
      answer.body,
      answer.headers,
    );
  }
  if (answer.body !== undefined) return sendJson(response, status, answer.body, answer.headers);
  if (status !== 200) return sendError(response, protocol, status, answer, request.model);
  if (answer.fault === 'silent') return;
  if (answer.fault === 'html') return sendText(response, 200, 'text/html', '<html><body>It works!</body></html>');
  if (request.path.endsWith('/embeddings')) return sendJson(response, 200, openaiEmbeddings(request), answer.headers);
  if (stream) return sendStream(response, protocol, request, answer, bodyBytes);
  sendWhole(response, protocol, request, answer, bodyBytes);
}

function sendWhole(
  response: ServerResponse,
  protocol: Protocol,
  request: RecordedRequest,
  answer: MockAnswer,
  bodyBytes: number,
): void {
  if (answer.fault === 'empty') return sendJson(response, 200, {});
  if (answer.fault === 'error-in-stream') return sendError(response, protocol, 500, answer, request.model);
  const whole =
    protocol === 'openai' ? openaiCompletion(request, answer, bodyBytes) : anthropicMessage(request, answer, bodyBytes);
  if (answer.fault === undefined) return sendJson(response, 200, whole, answer.headers);
  const text = JSON.stringify(whole);
  const half = text.slice(0, Math.floor(text.length / 2));
  if (answer.fault === 'malformed-chunk' || answer.fault === 'no-done')
    return sendText(response, 200, 'application/json', half);
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.write(half);
  if (answer.fault === 'cut') setTimeout(() => response.destroy(), 5).unref();
}

function sendStream(
  response: ServerResponse,
  protocol: Protocol,
  request: RecordedRequest,
  answer: MockAnswer,
  bodyBytes: number,
): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    ...answer.headers,
  });
  let events =
    protocol === 'openai' ? openaiEvents(request, answer, bodyBytes) : anthropicEvents(request, answer, bodyBytes);
  const half = Math.ceil(events.length / 2);
  const error = protocol === 'openai' ? openaiStreamError() : anthropicStreamError();
  if (answer.fault === 'empty') events = events.slice(-1);
  if (answer.fault === 'cut' || answer.fault === 'stall') events = events.slice(0, half);
  if (answer.fault === 'no-done') events = events.slice(0, -2);
  if (answer.fault === 'malformed-chunk')
    events = [...events.slice(0, half), 'data: {"choices": [{"delta": {"cont\n\n', ...events.slice(half)];
  if (answer.fault === 'error-in-stream') events = [...events.slice(0, half), error];
  const end = (): void => {
    if (answer.fault === 'stall') return;
    if (answer.fault === 'cut') setTimeout(() => response.destroy(), 5).unref();
    else response.end();
  };
  const pause = answer.pieceDelayMs ?? 0;
  if (pause === 0 && events.length <= 20_000) {
    response.write(events.join(''));
    return end();
  }
  void pace(response, events, pause, end);
}

/** Writes event by event, no faster than the reader takes them. */
async function pace(
  response: ServerResponse,
  events: readonly string[],
  pauseMs: number,
  end: () => void,
): Promise<void> {
  for (const event of events) {
    if (response.destroyed) return;
    if (!response.write(event)) {
      await new Promise<void>((resolve) => {
        response.once('drain', resolve);
        response.once('close', resolve);
      });
    }
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs).unref());
  }
  end();
}
