import { EventStreamParser } from '#platform/event-stream-parser.ts';
import { completionOf, MessageStreamReader } from './anthropic-answers.ts';
import { AnthropicClient } from './anthropic-client.ts';
import { anthropicVendor, messageRequestBody } from './anthropic-request.ts';
import { parseJson } from './json-body.ts';
import { eventLengthMax, type Progress, ProtocolError, translateProviderError } from './provider-errors.ts';
import type { Provider, ProviderCompletion, ProviderEvent, ProviderRequest } from './provider.ts';
import type { SlimFetchOptions } from './slim-fetch.ts';
import type { SlimResponse } from './slim-response.ts';

export interface AnthropicOptions extends SlimFetchOptions {
  readonly apiKey: string;
  /** Without `/v1`. */
  readonly baseUrl?: string | undefined;
  /** What a model can write at most; Anthropic demands a limit, and this is the one of requests without. */
  readonly outputTokensMax?: ((model: string) => number | undefined) | undefined;
}

/** https://docs.anthropic.com/en/api/messages */
export class AnthropicProvider implements Provider {
  readonly name = 'anthropic';
  readonly #client: AnthropicClient;
  readonly #outputTokensMax: (model: string) => number | undefined;

  constructor(options: AnthropicOptions) {
    this.#client = new AnthropicClient({ ...options, baseUrl: options.baseUrl ?? 'https://api.anthropic.com' });
    this.#outputTokensMax = options.outputTokensMax ?? (() => undefined);
  }

  async complete(request: ProviderRequest, signal: AbortSignal): Promise<ProviderCompletion> {
    try {
      const response = await this.#client.postMessages(
        messageRequestBody(request, false, this.#outputTokensMax(request.model)),
        signal,
      );
      const text = await response.text();
      return completionOf(parseJson(text, response.headers.get('content-type')), request.model);
    } catch (error) {
      throw translateProviderError(anthropicVendor, error, signal, 'request');
    }
  }

  async *stream(request: ProviderRequest, signal: AbortSignal): AsyncGenerator<ProviderEvent> {
    let progress: Progress = 'request';
    let response: SlimResponse | undefined;
    let whole = false;
    try {
      response = await this.#client.postMessages(
        messageRequestBody(request, true, this.#outputTokensMax(request.model)),
        signal,
      );
      progress = 'begun';
      if (response.headers.get('content-type')?.includes('event-stream') !== true) {
        const body = parseJson(await response.text(), response.headers.get('content-type'));
        completionOf(body, request.model);
        throw new ProtocolError('it is not a stream');
      }
      const parser = new EventStreamParser(eventLengthMax);
      const reader = new MessageStreamReader(request.model);
      while (!reader.done) {
        const { done, value } = await response.body.next();
        for (const { data } of done === true ? parser.flush() : parser.push(value)) {
          if (data === '') continue;
          for (const event of reader.read(data)) {
            if (event.type !== 'usage') progress = 'delivered';
            yield event;
          }
        }
        if (done === true) break;
      }
      const finish = reader.finish();
      whole = true;
      yield finish;
    } catch (error) {
      throw translateProviderError(anthropicVendor, error, signal, progress);
    } finally {
      // Whoever stops reading early closes the connection, so that the vendor stops too.
      if (whole) response?.release();
      else void response?.body.return?.();
    }
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}
