import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { ConfigError } from './config.ts';
import { openDataFolder, readOrCreateSecret } from './data-folder.ts';

const parents: string[] = [];
const newFolder = (): string => {
  const parent = mkdtempSync(path.join(tmpdir(), 'asg-folder-'));
  parents.push(parent);
  return path.join(parent, 'data');
};
afterEach(async () => {
  for (const parent of parents.splice(0)) await rm(parent, { recursive: true, force: true });
});

const modeOf = async (file: string): Promise<string> => ((await stat(file)).mode & 0o777).toString(8);

/** Another process that opens the folder; says so, or why not. */
function holder(folder: string) {
  const script = `
    const { openDataFolder } = await import(${JSON.stringify(fileURLToPath(new URL('./data-folder.ts', import.meta.url)))});
    try { const open = await openDataFolder(${JSON.stringify(folder)}); console.log('open'); setInterval(() => open.path, 1000); }
    catch (error) { console.log(error.message); }`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const said = new Promise<string>((resolve) => createInterface(child.stdout).once('line', resolve));
  return {
    pid: child.pid,
    said,
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

describe('a data folder', () => {
  test('is made for its owner alone, and is new once', async () => {
    const folder = newFolder();
    const first = await openDataFolder(folder);
    expect(first.isNew).toBe(true);
    expect(await modeOf(folder)).toBe('700');
    first.close();
    const second = await openDataFolder(folder);
    expect(second.isNew).toBe(false);
    second.close();
  });

  test('is still new when a token was issued from it before the first start', async () => {
    const folder = newFolder();
    await readOrCreateSecret(folder, 'auth-secret');
    const opened = await openDataFolder(folder);
    expect(opened.isNew).toBe(true);
    opened.close();
  });

  test('that is open says so in one line to a second start in the same process', async () => {
    const folder = newFolder();
    const first = await openDataFolder(folder);
    const refusal = await openDataFolder(folder).catch((error: Error) => error);
    expect(refusal).toBeInstanceOf(ConfigError);
    expect((refusal as Error).message).toBe(
      `data folder ${folder} is in use by process ${process.pid}; stop it or set DATA_DIR`,
    );
    first.close();
    (await openDataFolder(folder)).close();
  });

  test('that another process holds is free as soon as that is killed', async () => {
    const folder = newFolder();
    const other = holder(folder);
    expect(await other.said).toBe('open');
    await expect(openDataFolder(folder)).rejects.toThrow(`is in use by process ${other.pid}; stop it or set DATA_DIR`);
    await other.kill();
    (await openDataFolder(folder)).close();
  });

  test('goes to exactly one of several starts at once', async () => {
    const folder = newFolder();
    const holders = Array.from({ length: 4 }, () => holder(folder));
    const said = await Promise.all(holders.map((each) => each.said));
    expect(said.filter((line) => line === 'open')).toHaveLength(1);
    expect(said.filter((line) => line.includes('is in use by process'))).toHaveLength(3);
    await Promise.all(holders.map((each) => each.kill()));
  });

  test('that cannot be a folder is refused with the reason', async () => {
    const file = newFolder();
    await writeFile(file, 'a file');
    await expect(openDataFolder(file)).rejects.toThrow(/^data folder .* cannot be used: .*set DATA_DIR/);
    await expect(openDataFolder(path.join(file, 'below'))).rejects.toThrow(
      /^data folder .* cannot be used: .*set DATA_DIR/,
    );
  });
});

describe('a secret', () => {
  test('stays the same, is long, and is its owner’s only', async () => {
    const folder = newFolder();
    const secret = await readOrCreateSecret(folder, 'auth-secret');
    expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/);
    const opened = await openDataFolder(folder);
    expect(await opened.secret('auth-secret')).toBe(secret);
    expect(await opened.secret('another')).not.toBe(secret);
    opened.close();
    expect(await modeOf(path.join(folder, 'secrets', 'auth-secret'))).toBe('600');
    expect(await modeOf(path.join(folder, 'secrets'))).toBe('700');
  });

  test('is the same for all who ask for it first at once', async () => {
    const folder = newFolder();
    const secrets = await Promise.all(Array.from({ length: 50 }, () => readOrCreateSecret(folder, 'auth-secret')));
    expect(new Set(secrets).size).toBe(1);
    expect(await readdir(path.join(folder, 'secrets'))).toEqual(['auth-secret']);
  });

  test('that somebody cut short is refused rather than used', async () => {
    const folder = newFolder();
    await readOrCreateSecret(folder, 'auth-secret');
    await writeFile(path.join(folder, 'secrets', 'auth-secret'), 'short\n');
    await expect(readOrCreateSecret(folder, 'auth-secret')).rejects.toThrow('holds no secret');
  });
});
