import { EventStreamParser } from '#platform/event-stream-parser.ts';
import { parseJson } from './json-body.ts';
import { ChatStreamReader, completionOf, embeddingsOf } from './openai-answers.ts';
import { OpenAiClient, type OpenAiClientOptions } from './openai-client.ts';
import { chatRequestBody, type OpenAiDialect } from './openai-dialect.ts';
import { eventLengthMax, type Progress, translateProviderError } from './provider-errors.ts';
import type {
  EmbedRequest,
  Provider,
  ProviderCompletion,
  ProviderEmbeddings,
  ProviderEvent,
  ProviderName,
  ProviderRequest,
} from './provider.ts';
import type { SlimResponse } from './slim-response.ts';

/** A vendor that speaks OpenAI's chat completions; `openai.ts`, `deepseek.ts` and `local.ts` declare how each differs. */
export class OpenAiCompatibleProvider implements Provider {
  readonly name: ProviderName;
  readonly dialect: OpenAiDialect;
  readonly embed?: (request: EmbedRequest, signal: AbortSignal) => Promise<ProviderEmbeddings>;
  protected readonly client: OpenAiClient;

  constructor(dialect: OpenAiDialect, options: OpenAiClientOptions) {
    this.name = dialect.name;
    this.dialect = dialect;
    this.client = new OpenAiClient(options);
    if (dialect.embeddings) this.embed = (request, signal) => this.#embed(request, signal);
  }

  async complete(request: ProviderRequest, signal: AbortSignal): Promise<ProviderCompletion> {
    try {
      const response = await this.client.post(
        '/chat/completions',
        chatRequestBody(this.dialect, request, false),
        signal,
      );
      const text = await response.text();
      return completionOf(this.dialect, parseJson(text, response.headers.get('content-type')), request.model);
    } catch (error) {
      throw translateProviderError(this.dialect, error, signal, 'request');
    }
  }

  async *stream(request: ProviderRequest, signal: AbortSignal): AsyncGenerator<ProviderEvent> {
    let progress: Progress = 'request';
    let response: SlimResponse | undefined;
    let whole = false;
    try {
      response = await this.client.post('/chat/completions', chatRequestBody(this.dialect, request, true), signal);
      progress = 'begun';
      const contentType = response.headers.get('content-type') ?? '';
      if (contentType.includes('json') || contentType.includes('html')) {
        yield* this.#wholeAsEvents(response, request.model);
        return;
      }
      const parser = new EventStreamParser(eventLengthMax);
      const reader = new ChatStreamReader(this.dialect, request.model);
      while (!reader.done) {
        const { done, value } = await response.body.next();
        for (const { data } of done === true ? parser.flush() : parser.push(value)) {
          if (data === '') continue;
          for (const event of reader.read(data)) {
            progress = 'delivered';
            yield event;
          }
        }
        if (done === true) break;
      }
      const finish = reader.finish();
      whole = true;
      yield finish;
    } catch (error) {
      throw translateProviderError(this.dialect, error, signal, progress);
    } finally {
      // Whoever stops reading early closes the connection, so that the vendor stops too.
      if (whole) response?.release();
      else void response?.body.return?.();
    }
  }

  /** A server that cannot stream answers whole. */
  async *#wholeAsEvents(response: SlimResponse, model: string): AsyncGenerator<ProviderEvent> {
    const answer = completionOf(
      this.dialect,
      parseJson(await response.text(), response.headers.get('content-type')),
      model,
    );
    if (answer.reasoning !== null) yield { type: 'reasoning', text: answer.reasoning };
    if (answer.content !== null && answer.content !== '') yield { type: 'text', text: answer.content };
    if (answer.refusal !== null) yield { type: 'refusal', text: answer.refusal };
    for (const [index, call] of answer.toolCalls.entries()) yield { type: 'tool_call', index, ...call };
    if (answer.usage !== null) yield { type: 'usage', usage: answer.usage };
    const { finishReason: reason, providerState } = answer;
    yield { type: 'finish', reason, model: answer.model, ...(providerState === undefined ? {} : { providerState }) };
  }

  async #embed(request: EmbedRequest, signal: AbortSignal): Promise<ProviderEmbeddings> {
    try {
      const body = {
        model: request.model,
        input: request.texts,
        encoding_format: this.dialect.embeddingEncoding,
        ...(request.dimensions === undefined ? {} : { dimensions: request.dimensions }),
      };
      const response = await this.client.post('/embeddings', body, signal);
      const answer = embeddingsOf(
        parseJson(await response.text(), response.headers.get('content-type')),
        request.texts.length,
      );
      return { model: answer.model ?? request.model, vectors: answer.vectors, inputTokens: answer.inputTokens };
    } catch (error) {
      throw translateProviderError(this.dialect, error, signal, 'request');
    }
  }

  close(): Promise<void> {
    return this.client.close();
  }
}
