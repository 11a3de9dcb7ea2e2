import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

export const repositoryRoot = join(import.meta.dirname, '..', '..');

const notOurs = new Set(['node_modules', 'data', 'coverage']);

/** Every file of the repository that is ours and not hidden, relative to its root, with `/` between folders. */
export function sourceFiles(folder = repositoryRoot): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (notOurs.has(entry.name) || entry.name.startsWith('.')) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? sourceFiles(path) : [relative(repositoryRoot, path).replaceAll('\\', '/')];
  });
}
