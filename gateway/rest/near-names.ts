import { suggestionList } from 'graphql/jsutils/suggestionList.js';

/** `; did you mean "max_tokens"?`, or nothing where no known name is near. */
export function didYouMean(name: string, known: Iterable<string>): string {
  // Of long nonsense nothing is near, and the distance would take long to compute.
  if (name.length > 64) return '';
  const near = suggestionList(name, [...known]).slice(0, 3);
  if (near.length === 0) return '';
  return `; did you mean ${near.map((candidate) => `"${candidate}"`).join(' or ')}?`;
}
