import { ProtocolError } from './provider-errors.ts';

/** Parses a body that should be JSON. @throws ProtocolError */
export function parseJson(text: string, contentType: string | null): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const kind =
      /^\s*</.test(text) || contentType?.includes('html') === true
        ? 'a web page'
        : text.trim() === ''
          ? 'nothing'
          : 'broken JSON';
    throw new ProtocolError(`it sent ${kind} where JSON was due`);
  }
}
