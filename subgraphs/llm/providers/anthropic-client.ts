import Anthropic from '@anthropic-ai/sdk';
import { errorFromBody } from './provider-errors.ts';
import { SlimFetch, type SlimFetchOptions } from './slim-fetch.ts';
import type { SlimResponse } from './slim-response.ts';

export type MessageRequestBody = Anthropic.MessageCreateParams;
export type MessageParamBody = Anthropic.MessageParam;
export type ContentBlockParamBody = Anthropic.ContentBlockParam;
export type MessageAnswerBody = Anthropic.Message;
export type StreamEventBody = Anthropic.RawMessageStreamEvent;

export interface AnthropicClientOptions extends SlimFetchOptions {
  /** Without `/v1`. */
  readonly baseUrl: string;
  readonly apiKey: string;
}

type BuildRequest = Anthropic['buildRequest'];

/** The official SDK on SlimFetch, with its two costly steps replaced; openai-client.ts says why. */
class LeanAnthropic extends Anthropic {
  readonly #slim: SlimFetch;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #basePath: string;

  constructor(options: AnthropicClientOptions) {
    super({ apiKey: options.apiKey, baseURL: options.baseUrl, maxRetries: 0, logLevel: 'off', openTelemetry: false });
    this.#slim = new SlimFetch(options.baseUrl, options);
    this.#basePath = new URL(options.baseUrl).pathname.replace(/\/+$/, '');
    this.#headers = {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'user-agent': 'agent-supergraph',
      'anthropic-version': '2023-06-01',
      'x-api-key': options.apiKey,
    };
  }

  override async buildRequest(options: Parameters<BuildRequest>[0]): ReturnType<BuildRequest> {
    const request = {
      method: options.method.toUpperCase(),
      headers: this.#headers,
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      ...(options.signal == null ? {} : { signal: options.signal }),
      streams: (options.body as { stream?: unknown } | undefined)?.stream === true,
    };
    return { req: request as never, url: this.#basePath + options.path, timeout: 1 };
  }

  override fetchWithTimeout(path: unknown, request: unknown): Promise<Response> {
    return this.#slim.request(
      String(path),
      request as Parameters<SlimFetch['request']>[1],
    ) as unknown as Promise<Response>;
  }

  async closeConnections(): Promise<void> {
    await this.#slim.close();
  }
}

/** Anthropic's HTTP API. The body of an answer is left to its reader. */
export class AnthropicClient {
  readonly #sdk: LeanAnthropic;

  constructor(options: AnthropicClientOptions) {
    this.#sdk = new LeanAnthropic(options);
  }

  /** @throws VendorHttpError for an error answer; SlimFetch's errors */
  async postMessages(body: MessageRequestBody, signal: AbortSignal): Promise<SlimResponse> {
    try {
      return (await this.#sdk.post('/v1/messages', { body, signal }).asResponse()) as unknown as SlimResponse;
    } catch (error) {
      if (error instanceof Anthropic.APIConnectionError && error.cause instanceof Error) throw error.cause;
      if (error instanceof Anthropic.APIError && error.status !== undefined) {
        const { headers } = error;
        throw errorFromBody(error.status, error.error ?? error.message, (name) => headers?.get(name) ?? null);
      }
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#sdk.closeConnections();
  }
}
