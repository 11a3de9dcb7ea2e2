import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errorCatalogue } from '#platform/errors.ts';
import { repositoryRoot } from './source-files.ts';

interface DocumentedError {
  readonly code: string;
  readonly status: number;
  readonly retryable: boolean;
  readonly meaning: string;
}

function documentedErrors(markdown: string): DocumentedError[] {
  return [...markdown.matchAll(/^\| `([A-Z_]+)` \| (\d{3}) \| (yes|no) \| (.+) \|$/gm)].map((row) => ({
    code: row[1] ?? '',
    status: Number(row[2]),
    retryable: row[3] === 'yes',
    meaning: row[4] ?? '',
  }));
}

describe('docs/errors.md', () => {
  it('lists exactly the codes of the catalogue, in its order, with status, retry and meaning', () => {
    const documented = documentedErrors(readFileSync(join(repositoryRoot, 'docs', 'errors.md'), 'utf8'));
    expect(documented).toEqual(Object.entries(errorCatalogue).map(([code, kind]) => ({ code, ...kind })));
  });
});
