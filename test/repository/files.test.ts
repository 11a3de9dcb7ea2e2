import { describe, expect, it } from 'vitest';
import { generateAll, staleFiles } from '../../generate.ts';
import { sourceFiles } from './source-files.ts';

const files = sourceFiles();
const isCatchAll = (path: string): boolean => /(^|\/)(utils?|commons?|helpers?|misc|shared)(\/|[.-])/i.test(path);

describe('the repository', () => {
  it('has no file or folder that is named after nothing', () => {
    expect(['platform/utils.ts', 'gateway/rest/helpers/x.ts', 'test/common.test.ts'].every(isCatchAll)).toBe(true);
    expect(files.filter(isCatchAll)).toEqual([]);
  });

  it('names files in kebab-case', () => {
    const odd = files.filter(
      (path) => path.endsWith('.ts') && !/^[a-z0-9/-]+(\.contract)?(\.(test|config))?\.ts$/.test(path),
    );
    expect(odd).toEqual([]);
  });

  it('has generated files that are fresh', async () => {
    const generated = await generateAll();
    expect(generated.map(({ path }) => path)).toContain('schema/supergraph.graphql');
    expect(staleFiles(generated)).toEqual([]);
    expect(staleFiles(generated.map((file) => ({ ...file, content: `${file.content}#` })))).toHaveLength(
      generated.length,
    );
  });
});
