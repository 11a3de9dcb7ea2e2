import { checkIdempotencyKey, checkModelName, InputProblems } from './input-problems.ts';
import type { EmbedInput } from './resolver-types.ts';

const textsMax = 2_048;
const textCharsMax = 200_000;

/** @throws AppError INVALID_INPUT that lists every problem */
export function checkEmbedInput(input: EmbedInput): void {
  const problems = new InputProblems();
  if (input.model != null) checkModelName(problems, 'model', input.model);
  if (input.idempotencyKey != null) checkIdempotencyKey(problems, 'idempotencyKey', input.idempotencyKey);
  const { dimensions, input: texts } = input;
  if (dimensions != null && !(dimensions >= 1 && dimensions <= 65_536))
    problems.add('dimensions', 'must be between 1 and 65536');
  if (texts.length < 1 || texts.length > textsMax) problems.add('input', `must hold 1 to ${textsMax} texts`);
  texts.slice(0, textsMax).forEach((text, index) => {
    if (text.trim() === '') problems.add(`input[${index}]`, 'must not be empty');
    if (text.length > textCharsMax)
      problems.add(`input[${index}]`, `must not be longer than ${textCharsMax} characters`);
    problems.text(`input[${index}]`, text);
  });
  problems.throwIfAny();
}
