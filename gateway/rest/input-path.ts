import type { InputProblem } from '#platform/errors.ts';

/** More problems than this tell nobody more; reading goes on without noting them. */
const problemsMax = 50;

/**
 * Where a reader stands in a request, and what it found wrong until now. One object a request: pushing a name costs
 * nothing, and a path is only written out for a problem.
 */
export class InputReading {
  readonly problems: InputProblem[] = [];
  readonly #segments: (string | number)[] = [];

  enter(segment: string | number): void {
    this.#segments.push(segment);
  }

  leave(): void {
    this.#segments.pop();
  }

  /** True when further problems would not be noted: no need to word them. */
  get full(): boolean {
    return this.problems.length >= problemsMax;
  }

  /** Notes a problem of the value the reader stands at. */
  refuse(reason: string): undefined {
    return this.full ? undefined : this.refuseAt(renderPath(this.#segments), reason);
  }

  /** Notes a problem of another value, by its path in the client's spelling. */
  refuseAt(path: string, reason: string): undefined {
    if (!this.full) this.problems.push({ path, reason });
    return undefined;
  }
}

/** `messages[0].role`; names that are no words are quoted as in JavaScript. */
export function renderPath(segments: readonly (string | number)[]): string {
  let path = '';
  for (const segment of segments) {
    if (typeof segment === 'number') path += `[${segment}]`;
    else if (/^[\w$-]{1,128}$/.test(segment)) path += path === '' ? segment : `.${segment}`;
    else path += `[${JSON.stringify(segment.toWellFormed().slice(0, 128))}]`;
  }
  return path;
}

/** The segments of a path as `renderPath` and graphql-js write it: `input.messages[0].role`. */
export function parsePath(path: string): (string | number)[] {
  const segments: (string | number)[] = [];
  for (const match of path.matchAll(/\[(\d{1,9})\]|([^.[\]]+)/g)) {
    segments.push(match[1] === undefined ? (match[2] as string) : Number(match[1]));
  }
  return segments;
}
