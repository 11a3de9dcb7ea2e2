/**
 * Loaded into @portkey-ai/gateway (`node --import`): installed from npm today, 1.15.2 answers every stream with
 * "TypeError: immutable", because it adds headers to the response that fetch gave it. Handing it event streams with
 * headers of their own lets its streams be measured; all else is untouched.
 */
const nativeFetch = globalThis.fetch;

globalThis.fetch = async (...request) => {
  const response = await nativeFetch(...request);
  if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true) return response;
  const { body, status, statusText, headers } = response;
  return new Response(body, { status, statusText, headers: new Headers(headers) });
};
