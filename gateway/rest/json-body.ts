import type { FastifyInstance } from 'fastify';
import { invalidInput } from '#platform/errors.ts';

/** Far beyond any message or schema. */
const depthMax = 1_000;
/** A shorter text cannot nest deep enough to cost anything. */
const harmlessLength = 256 * 1024;

/**
 * Reads bodies as JSON and nothing else. What is nested millions of levels deep is refused before it is parsed: V8
 * takes seconds for 10 MB of brackets, and nobody else is served meanwhile.
 */
export function acceptJsonBodies(scope: FastifyInstance): void {
  const parse = scope.getDefaultJsonParser('remove', 'remove');
  // Without a parser for text/plain it is refused as 415 like any other type.
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.length > harmlessLength && nestsDeeper(body, depthMax)) {
      done(invalidInput([{ path: '', reason: `must not be nested deeper than ${depthMax} levels` }]));
    } else {
      void parse(request, body, done);
    }
  });
}

/** Whether a JSON text nests deeper; of a text that is no JSON it may say anything. */
export function nestsDeeper(text: string, depth: number): boolean {
  let open = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (inString) {
      if (code === backslash) index += 1;
      else if (code === quote) inString = false;
    } else if (code === quote) {
      inString = true;
    } else if (code === bracketOpen || code === braceOpen) {
      open += 1;
      if (open > depth) return true;
    } else if (code === bracketClose || code === braceClose) {
      open -= 1;
    }
  }
  return false;
}

const [quote, backslash, bracketOpen, bracketClose, braceOpen, braceClose] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];
