import { invalidInput, type InputProblem } from '#platform/errors.ts';

const problemsMax = 50;

/** Collects what is wrong with an input, so that a client learns of all of it at once. */
export class InputProblems {
  readonly #found: InputProblem[] = [];

  add(path: string, reason: string): void {
    if (this.#found.length < problemsMax) this.#found.push({ path, reason });
  }

  get full(): boolean {
    return this.#found.length >= problemsMax;
  }

  /** @throws AppError INVALID_INPUT when there was a problem */
  throwIfAny(): void {
    if (this.#found.length > 0) throw invalidInput(this.#found);
  }

  /** PostgreSQL stores no NUL, and UTF-8 has no lone surrogates: both would fail later, at a worse place. */
  text(path: string, value: string): void {
    if (value.includes('\0')) this.add(path, 'must not contain the NUL character');
    if (!value.isWellFormed()) this.add(path, 'must be well-formed Unicode: it has a lone surrogate');
  }

  /** The same for all text inside a JSON value, keys included. The value's depth is bounded by `depthMax`. */
  json(path: string, value: unknown, depthMax = 64): void {
    if (this.full) return;
    if (typeof value === 'string') return this.text(path, value);
    if (typeof value !== 'object' || value === null) return;
    if (depthMax === 0) return this.add(path, 'is nested too deeply');
    if (Array.isArray(value)) return value.forEach((item, index) => this.json(`${path}[${index}]`, item, depthMax - 1));
    for (const [key, item] of Object.entries(value)) {
      if (key.includes('\0') || !key.isWellFormed())
        this.add(path, 'has a key with a NUL character or a lone surrogate');
      this.json(`${path}.${key}`, item, depthMax - 1);
    }
  }
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Most characters of a model's name that a client may send. */
const modelNameMax = 256;

/** A model's name as clients write it: printable, without blanks. Whether anyone knows it is the catalogue's to say. */
export function checkModelName(problems: InputProblems, path: string, name: string): void {
  if (!/^[^\s\p{Cc}\p{Cf}\p{Cs}]+$/u.test(name) || name.length > modelNameMax) {
    problems.add(
      path,
      `must be a model's id, alias or provider/model of 1 to ${modelNameMax} characters without blanks`,
    );
  }
}

/** As HTTP's Idempotency-Key: 1 to 255 visible ASCII characters. */
export function checkIdempotencyKey(problems: InputProblems, path: string, key: string): void {
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) problems.add(path, 'must be 1 to 255 visible ASCII characters without blanks');
}
