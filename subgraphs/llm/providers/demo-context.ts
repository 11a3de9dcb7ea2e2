/** Finds, by the words they share, the sentences of a given text that answer a question. No model, no randomness. */

/** Later text counts more where there is too much of it. */
const contextLengthMax = 200_000;
const sentencesMax = 2000;
const questionWordsMax = 64;

const stopWords = new Set(
  (
    'a an and any are as at be been but by can could did do does for from give had has have he her his how i if in into is it its ' +
    'me my no not of on or our please she should so tell than that the their them then there these they this to was we were ' +
    'what when where which who whom whose why will with would you your about know say use using answer question ' +
    'що як де хто чи це та або для про який яка яке які коли чому мій моя моє'
  ).split(' '),
);

/** A word's stem, roughly: enough to join `capitals` with `capital` and `populated` with `population`. */
function stem(word: string): string {
  const singular = word.length > 3 ? word.replace(/(?<!s)s$/, '').replace(/ie$/, 'y') : word;
  return singular.slice(0, 5);
}

function stems(text: string): Set<string> {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return new Set(words.filter((word) => word.length > 1 && !stopWords.has(word)).map(stem));
}

/** Splits a text where sentences and lines end. */
export function sentencesOf(text: string): string[] {
  return text
    .split(/(?<=[.!?…])\s+|\n+/u)
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence.length > 1);
}

/** The question in a message, and the rest of it: the last sentence with a question mark, else the last one. */
export function splitQuestion(text: string): { question: string; rest: string[] } {
  const sentences = sentencesOf(text.slice(-contextLengthMax));
  const marked = sentences.findLastIndex((sentence) => sentence.endsWith('?'));
  const index = marked >= 0 ? marked : sentences.length - 1;
  return { question: sentences[index] ?? text, rest: sentences.filter((_, other) => other !== index) };
}

/**
 * The one or two sentences that share most words with the question, rare words counting more; in their own order.
 * Empty when none shares at least a third of the question's words.
 */
export function relevantSentences(question: string, context: readonly string[]): string[] {
  const asked = [...stems(question)].slice(0, questionWordsMax);
  if (asked.length === 0) return [];
  const candidates = context
    .slice(-sentencesMax)
    .filter((sentence) => sentence !== question && !sentence.endsWith('?'))
    .map((sentence) => ({ sentence, words: stems(sentence) }));
  const weights = new Map(
    asked.map((word) => [
      word,
      1 / (1 + candidates.reduce((count, { words }) => count + (words.has(word) ? 1 : 0), 0)),
    ]),
  );
  const neededWords = Math.max(1, Math.ceil(asked.length / 3));
  const scored = candidates.flatMap(({ sentence, words }, position) => {
    const shared = asked.filter((word) => words.has(word));
    if (shared.length < neededWords) return [];
    return [{ sentence, position, score: shared.reduce((sum, word) => sum + (weights.get(word) ?? 0), 0) }];
  });
  const best = scored.toSorted((left, right) => right.score - left.score || left.position - right.position);
  const first = best[0];
  if (first === undefined) return [];
  return best
    .slice(0, 2)
    .filter(({ score }) => score >= first.score * 0.9)
    .toSorted((left, right) => left.position - right.position)
    .map(({ sentence }) => sentence);
}
