/** Longer names are cut before they are compared, so that a huge one costs nothing. */
const comparedLengthMax = 48;

/** Levenshtein's distance: the fewest characters to insert, delete or replace. */
export function editDistance(left: string, right: string): number {
  const width = right.length + 1;
  let previous = Uint32Array.from({ length: width }, (_, index) => index);
  let current = new Uint32Array(width);
  for (let row = 1; row <= left.length; row += 1) {
    const character = left.charCodeAt(row - 1);
    current[0] = row;
    for (let column = 1; column < width; column += 1) {
      const replaced = (previous[column - 1] as number) + (character === right.charCodeAt(column - 1) ? 0 : 1);
      current[column] = Math.min((previous[column] as number) + 1, (current[column - 1] as number) + 1, replaced);
    }
    [previous, current] = [current, previous];
  }
  return previous[right.length] as number;
}

/**
 * The names most like a misspelt one, nearest first: a few wrong letters, or one that begins or contains the other.
 *
 * @param max most names returned
 */
export function nearNames(wanted: string, names: Iterable<string>, max = 3): string[] {
  const asked = wanted.slice(0, comparedLengthMax).toLowerCase();
  if (asked.length === 0) return [];
  const allowed = Math.max(2, Math.floor(asked.length / 3));
  const scored: { name: string; distance: number }[] = [];
  for (const name of new Set(names)) {
    const candidate = name.slice(0, comparedLengthMax).toLowerCase();
    // No fewer edits than the difference in length can do.
    const tooFar = Math.abs(candidate.length - asked.length) > allowed;
    const contained = asked.length >= 3 && (candidate.includes(asked) || asked.includes(candidate));
    if (tooFar && !contained) continue;
    const edits = tooFar ? allowed : editDistance(asked, candidate);
    const distance = contained ? Math.min(2, edits) : edits;
    if (distance <= allowed) scored.push({ name, distance });
  }
  return scored
    .toSorted((left, right) => left.distance - right.distance || left.name.length - right.name.length)
    .slice(0, max)
    .map(({ name }) => name);
}
