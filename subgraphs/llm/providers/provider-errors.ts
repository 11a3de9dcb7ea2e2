import { AppError, type ErrorCode } from '#platform/errors.ts';
import { EventTooLongError } from '#platform/event-stream-parser.ts';
import type { ProviderName } from './provider.ts';
import { UpstreamConnectionError, UpstreamDeadlineError } from './slim-fetch.ts';
import { UpstreamTooLargeError } from './slim-response.ts';

/** Who is spoken of in error messages. */
export interface Vendor {
  readonly name: ProviderName;
  /** As people say it: OpenAI. */
  readonly title: string;
  /** The setting to check when the key is refused: OPENAI_API_KEY. */
  readonly keySetting: string;
  /** The setting to check when it cannot be reached: OPENAI_BASE_URL. */
  readonly urlSetting: string;
}

/** An answer that is an error, as the vendor's SDK read it. */
export class VendorHttpError extends Error {
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  /** The vendor's own `code` and `type`, joined. */
  readonly kind: string;
  readonly reason: string;

  constructor(status: number, retryAfterMs: number | undefined, kind: string, reason: string) {
    super(`status ${status}`);
    this.name = 'VendorHttpError';
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.kind = kind;
    this.reason = reason;
  }
}

/** Words that are not what the vendor's protocol allows. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

const reasonLengthMax = 500;

/**
 * A vendor's own words, fit for a client: without what looks like a key, without control characters, short.
 * Vendors repeat keys in their messages, whole or with stars.
 */
export function cleanReason(reason: string): string {
  // A proxy's error page says nothing that its status does not.
  if (/<(?:!doctype|html|head|body)\b/i.test(reason)) return '';
  const clean = reason
    .replaceAll(/\b(?:sk|pk|rk|api|key|tok|token|bearer|secret)[-_ ][\w*.-]{6,}/gi, '[removed]')
    .replaceAll(/[A-Za-z0-9_\-+/*]{32,}={0,2}/g, '[removed]')
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}]+/gu, ' ')
    .trim();
  return clean.length > reasonLengthMax ? `${clean.slice(0, reasonLengthMax)}…` : clean;
}

/** `retry-after-ms`, or `retry-after` in seconds or as a date; undefined when there is none. */
export function retryAfterMs(header: (name: string) => string | null): number | undefined {
  const milliseconds = Number.parseFloat(header('retry-after-ms') ?? '');
  if (Number.isFinite(milliseconds)) return Math.max(0, Math.round(milliseconds));
  const after = header('retry-after');
  if (after === null || after.trim() === '') return undefined;
  const seconds = Number(after);
  if (Number.isFinite(seconds)) return Math.max(0, Math.round(seconds * 1000));
  const date = Date.parse(after);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** Reads `{error: {message, type, code}}` of either vendor, `{error: "text"}` of Ollama, `{message}` and `{detail}` of others. */
export function errorFromBody(status: number, body: unknown, header: (name: string) => string | null): VendorHttpError {
  const outer = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  const inner = outer['error'] ?? outer;
  const error = typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {};
  const words = [inner, error['message'], error['detail'], typeof body === 'string' ? body : undefined];
  const reason = words.find((value) => typeof value === 'string') ?? '';
  const kind = [error['code'], error['type']]
    .filter((value) => typeof value === 'string' || typeof value === 'number')
    .join(' ');
  return new VendorHttpError(status, retryAfterMs(header), kind, reason);
}

const contextTooLong =
  /context_length_exceeded|maximum context length|context (?:length|window|size)|prompt is too long|too many (?:input )?tokens|exceed[^.]{0,60}context/i;
const contentFiltered =
  /content[_ ]?(?:filter|policy)|content_policy_violation|safety (?:system|filter)|flagged as|moderation_blocked/i;
const modelUnknown =
  /model_not_found|model[^.]{0,80}(?:not found|does not exist|not exist)|^not_found_error model:|^model: /i;

/** What a vendor's error answer means to our callers. */
function fromHttpError(vendor: Vendor, error: VendorHttpError): AppError {
  const { status, kind } = error;
  const reason = cleanReason(error.reason);
  const said = reason === '' ? '' : `: ${reason}`;
  const text = `${kind} ${error.reason}`;
  const make = (code: ErrorCode, message: string): AppError =>
    new AppError(code, message, {
      ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
      // A new error: the SDK's own holds headers and bodies, and vendors repeat keys in them.
      cause: new Error(`${vendor.title} answered ${status}${said}`),
    });
  if (status === 401)
    return make(
      'PROVIDER_AUTHENTICATION_FAILED',
      `${vendor.title} refused the server's key (401). Check ${vendor.keySetting}.`,
    );
  if (status === 403)
    return make(
      'PROVIDER_AUTHENTICATION_FAILED',
      `${vendor.title} refused the server's key for this (403)${said}. Check ${vendor.keySetting}.`,
    );
  if (status === 402)
    return make('PROVIDER_RATE_LIMITED', `The account at ${vendor.title} has no money left (402)${said}.`);
  if (status === 429) {
    const what = /insufficient_quota|quota|billing/i.test(text) ? 'quota' : 'rate limit';
    return make('PROVIDER_RATE_LIMITED', `The ${what} at ${vendor.title} is used up (429)${said}.`);
  }
  if (status === 408 || status === 504)
    return make('PROVIDER_TIMEOUT', `${vendor.title} was too slow (${status})${said}.`);
  if (status >= 500)
    return make('PROVIDER_UNAVAILABLE', `${vendor.title} is not able to answer now (${status})${said}.`);
  if (status < 400)
    return make(
      'PROVIDER_BAD_RESPONSE',
      `${vendor.title} answered ${status}, which is no answer. Check ${vendor.urlSetting}.`,
    );
  if (contextTooLong.test(text))
    return make('CONTEXT_LENGTH_EXCEEDED', `The messages are too long for the model at ${vendor.title}${said}`);
  if (contentFiltered.test(text))
    return make('CONTENT_FILTERED', `The content filter of ${vendor.title} refused the request${said}`);
  if (status === 404 && modelUnknown.test(text))
    return make('MODEL_NOT_FOUND', `${vendor.title} has no such model${said}`);
  if (status === 404 && reason === '')
    return make(
      'PROVIDER_BAD_RESPONSE',
      `${vendor.title} has nothing at this address (404). Check ${vendor.urlSetting}.`,
    );
  return make('PROVIDER_REJECTED', `${vendor.title} refused the request (${status})${said}`);
}

/** Characters of one event of a stream; no vendor sends longer ones. */
export const eventLengthMax = 16 * 1024 * 1024;

/**
 * How far an answer was when something broke: `request`: not begun; `begun`: a stream's headers are there;
 * `delivered`: pieces of it have been passed on.
 */
export type Progress = 'request' | 'begun' | 'delivered';

/**
 * The one seam where foreign failures become ours.
 *
 * @param error whatever was thrown while the vendor was asked
 * @param signal of the caller: when it is aborted, its reason is the answer
 * @param progress a stream that has begun and breaks is STREAM_INTERRUPTED
 */
export function translateProviderError(
  vendor: Vendor,
  error: unknown,
  signal: AbortSignal,
  progress: Progress,
): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof AppError) return error;
  if (error instanceof VendorHttpError) {
    const translated = fromHttpError(vendor, error);
    // An error that comes instead of a stream's first piece is worth its own code, unless it is just "broken".
    if (progress === 'request' || (progress === 'begun' && translated.code !== 'PROVIDER_UNAVAILABLE'))
      return translated;
    const said = cleanReason(error.reason);
    return new AppError(
      'STREAM_INTERRUPTED',
      `${vendor.title} ended its answer with an error${said === '' ? '' : `: ${said}`}`,
      { cause: translated.cause },
    );
  }
  if (error instanceof UpstreamDeadlineError) {
    const what = {
      connection: 'could not be reached',
      'first byte': 'did not begin to answer',
      'next chunk': 'fell silent',
    }[error.phase];
    return new AppError('PROVIDER_TIMEOUT', `${vendor.title} ${what} within ${error.timeoutMs} ms.`, { cause: error });
  }
  if (error instanceof UpstreamConnectionError) {
    if (error.code.startsWith('HPE_') || error.code === 'HTTPParserError')
      return new AppError('PROVIDER_BAD_RESPONSE', `${vendor.title} does not speak HTTP. Check ${vendor.urlSetting}.`, {
        cause: error,
      });
    if (progress !== 'request')
      return new AppError('STREAM_INTERRUPTED', `${vendor.title} broke off its answer (${error.code}).`, {
        cause: error,
      });
    return new AppError(
      'PROVIDER_UNAVAILABLE',
      `${vendor.title} cannot be reached (${error.code}). Check ${vendor.urlSetting}.`,
      { cause: error },
    );
  }
  if (error instanceof ProtocolError || error instanceof UpstreamTooLargeError || error instanceof EventTooLongError) {
    return new AppError(
      'PROVIDER_BAD_RESPONSE',
      `${vendor.title} sent an answer that is not its protocol: ${error.message}.`,
      { cause: error },
    );
  }
  // A defect of ours, which must not hide as the vendor's.
  return error;
}

/** @throws AppError UNSUPPORTED_BY_MODEL that names the field and what to do */
export function refuseUnsupported(vendor: Pick<Vendor, 'title'>, path: string, what: string): never {
  throw new AppError('UNSUPPORTED_BY_MODEL', `${vendor.title} ${what} (\`${path}\`).`, {
    details: [{ path, reason: `not supported by ${vendor.title}` }],
  });
}
