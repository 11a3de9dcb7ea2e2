import type { InputReading } from './input-path.ts';

/** JSON nested deeper than this is nobody's message or schema, and deep recursion is how a process is brought down. */
export const jsonDepthMax = 128;

/**
 * What PostgreSQL cannot store: U+0000, and surrogates without their partner.
 *
 * @returns why the text is refused, or undefined
 */
export function textProblem(text: string): string | undefined {
  if (text.includes('\0')) return 'must not contain the character U+0000';
  if (!text.isWellFormed()) return 'must be well-formed Unicode: it contains half of a surrogate pair';
  return undefined;
}

/** Checks every text and key inside a JSON value, and its depth; the value itself stays as it is. */
export function checkJson(value: unknown, reading: InputReading, depth = 0): void {
  if (typeof value === 'string') {
    const problem = textProblem(value);
    if (problem !== undefined) reading.refuse(problem);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  if (depth >= jsonDepthMax) {
    reading.refuse(`must not be nested deeper than ${jsonDepthMax} levels`);
    return;
  }
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) {
      const item: unknown = value[index];
      // Numbers, the bulk of long arrays, need no look.
      if (typeof item === 'number') continue;
      reading.enter(index);
      checkJson(item, reading, depth + 1);
      reading.leave();
    }
    return;
  }
  for (const [key, item] of Object.entries(value)) {
    reading.enter(key);
    const problem = textProblem(key);
    if (problem !== undefined) reading.refuse(`the name ${problem}`);
    checkJson(item, reading, depth + 1);
    reading.leave();
  }
}
