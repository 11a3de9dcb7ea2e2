import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { databaseSettings, processSettings } from '#platform/config.ts';
import { gatewaySettings } from '../../gateway/config.ts';
import { llmSettings } from '../../subgraphs/llm/config.ts';
import { repositoryRoot, sourceFiles } from './source-files.ts';

const read = (path: string): string => readFileSync(join(repositoryRoot, path), 'utf8');

/** Variables and their defaults, `–` for none, as docs/configuration.md lists them. */
const documented = new Map(
  [...read('docs/configuration.md').matchAll(/^\| `([A-Z_]+)` \| (?:`([^`]+)`|–) \|/gm)].map((row) => [
    row[1] ?? '',
    row[2],
  ]),
);

/** Every key that is spelled like an environment variable in some config.ts. */
const declared = new Set(
  sourceFiles()
    .filter((path) => /(^|\/)config\.ts$/.test(path))
    .flatMap((path) =>
      [...read(path).matchAll(/^ {2,4}([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*):/gm)].map((match) => match[1] ?? ''),
    ),
);

describe('docs/configuration.md', () => {
  it('lists exactly the variables that the config.ts files declare', () => {
    expect([...documented.keys()].toSorted()).toEqual([...declared].toSorted());
  });

  it('tells their defaults', () => {
    const settings = { ...processSettings, ...databaseSettings, ...gatewaySettings, ...llmSettings };
    const defaults = Object.entries(settings).map(([name, setting]) => {
      const { data } = setting.safeParse(undefined);
      return [name, data === undefined ? undefined : String(data)];
    });
    expect(defaults).toEqual(defaults.map(([name]) => [name, documented.get(name ?? '')]));
  });
});

describe('.env.example', () => {
  it('names only variables that exist', () => {
    const named = [...read('.env.example').matchAll(/^# ([A-Z_]+)=/gm)].map((match) => match[1] ?? '');
    expect(named.filter((name) => !declared.has(name))).toEqual([]);
    expect(named).not.toEqual([]);
  });
});
