import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cleanReason, errorFromBody, retryAfterMs, translateProviderError, type Vendor } from './provider-errors.ts';

const vendor: Vendor = { name: 'openai', title: 'OpenAI', keySetting: 'OPENAI_API_KEY', urlSetting: 'OPENAI_BASE_URL' };
const never = new AbortController().signal;
const noHeader = (): null => null;
const translate = (status: number, body: unknown) =>
  translateProviderError(vendor, errorFromBody(status, body, noHeader), never, 'request');

describe('a vendor’s words in our messages', () => {
  it('lose what looks like a key', () => {
    for (const key of [
      'sk-proj-Ab3_dEf-0123456789',
      'sk-ant-api03-xyzxyzxyz',
      'sk-12**********cdef',
      'Bearer abcdefgh12345',
      '0123456789abcdef0123456789abcdef',
      'eyJhbGciOiJIUzI1NiJ9eyJzdWIiOiIxMjM0NTY3ODkwIn0',
    ]) {
      const clean = cleanReason(`Incorrect API key provided: ${key}. See the page.`);
      expect(clean).toContain('[removed]');
      expect(clean).not.toContain(key.slice(8, 16));
    }
    expect(cleanReason("Invalid 'messages[0].content': the model gpt-4o-mini-2024-07-18 does not see images.")).toBe(
      "Invalid 'messages[0].content': the model gpt-4o-mini-2024-07-18 does not see images.",
    );
  });

  it('are short, without control characters, and nothing when they are a web page', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (text) => {
        const clean = cleanReason(text);
        expect(clean.length).toBeLessThanOrEqual(501);
        expect(clean).not.toMatch(/\p{Cc}/u);
      }),
    );
    expect(cleanReason('<html><body>502 Bad Gateway</body></html>')).toBe('');
  });
});

describe('an error answer', () => {
  it.each([
    [
      400,
      { error: { message: "This model's maximum context length is 8192 tokens.", code: 'context_length_exceeded' } },
      'CONTEXT_LENGTH_EXCEEDED',
    ],
    [
      400,
      { error: { type: 'invalid_request_error', message: 'prompt is too long: 210000 tokens > 200000 maximum' } },
      'CONTEXT_LENGTH_EXCEEDED',
    ],
    [
      400,
      { error: 'the request exceeds the available context size. try increasing the context size' },
      'CONTEXT_LENGTH_EXCEEDED',
    ],
    [400, { error: { code: 'content_filter', message: 'The response was filtered' } }, 'CONTENT_FILTERED'],
    [400, { error: { code: 'content_policy_violation', message: 'no' } }, 'CONTENT_FILTERED'],
    [400, { error: { code: 'invalid_image_url', message: 'Could not download the image.' } }, 'PROVIDER_REJECTED'],
    [404, { error: { code: 'model_not_found', message: 'The model does not exist' } }, 'MODEL_NOT_FOUND'],
    [404, { error: 'model "qwen" not found, try pulling it first' }, 'MODEL_NOT_FOUND'],
    [404, { error: { type: 'not_found_error', message: 'model: claude-9' } }, 'MODEL_NOT_FOUND'],
    [404, '404 page not found', 'PROVIDER_REJECTED'],
    [404, '<html>nothing</html>', 'PROVIDER_BAD_RESPONSE'],
    [402, { error: { message: 'Insufficient Balance' } }, 'PROVIDER_RATE_LIMITED'],
    [408, {}, 'PROVIDER_TIMEOUT'],
    [413, { error: { message: 'Request too large' } }, 'PROVIDER_REJECTED'],
    [422, { detail: 'Unprocessable' }, 'PROVIDER_REJECTED'],
    [
      429,
      { error: { code: 'insufficient_quota', message: 'You exceeded your current quota' } },
      'PROVIDER_RATE_LIMITED',
    ],
    [500, null, 'PROVIDER_UNAVAILABLE'],
    [502, '<html>Bad gateway</html>', 'PROVIDER_UNAVAILABLE'],
    [504, '', 'PROVIDER_TIMEOUT'],
    [529, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }, 'PROVIDER_UNAVAILABLE'],
    [301, '', 'PROVIDER_BAD_RESPONSE'],
  ])('of status %i and %j is %s', (status, body, code) => {
    expect(translate(status, body)).toMatchObject({
      name: 'AppError',
      code,
      message: expect.stringContaining('OpenAI'),
    });
  });

  it('says how long to wait in any of three spellings', () => {
    const header = (headers: Record<string, string>) => (name: string) => headers[name] ?? null;
    expect(retryAfterMs(header({ 'retry-after-ms': '250', 'retry-after': '9' }))).toBe(250);
    expect(retryAfterMs(header({ 'retry-after': '1.5' }))).toBe(1500);
    const inTenSeconds = retryAfterMs(header({ 'retry-after': new Date(Date.now() + 10_000).toUTCString() })) ?? 0;
    expect(inTenSeconds).toBeGreaterThan(8_000);
    expect(inTenSeconds).toBeLessThanOrEqual(10_000);
    expect(retryAfterMs(header({ 'retry-after': 'soon' }))).toBeUndefined();
    expect(retryAfterMs(header({}))).toBeUndefined();
  });

  it('leaves defects of ours as they are, and lets an aborted caller’s reason win', () => {
    const defect = new TypeError('x is undefined');
    expect(translateProviderError(vendor, defect, never, 'request')).toBe(defect);
    const reason = new Error('left');
    expect(translateProviderError(vendor, defect, AbortSignal.abort(reason), 'delivered')).toBe(reason);
  });
});
