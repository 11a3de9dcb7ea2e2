import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './processes.ts';

export interface PostgresCluster {
  readonly url: string;
  readonly version: string;
  stop(): void;
}

const packagesFolder = '/usr/lib/postgresql';

function binariesFolder(): string | undefined {
  if (!existsSync(packagesFolder)) return undefined;
  const versions = readdirSync(packagesFolder).toSorted((a, b) => Number(b) - Number(a));
  return versions
    .map((version) => join(packagesFolder, version, 'bin'))
    .find((folder) => existsSync(join(folder, 'initdb')));
}

/**
 * Starts a real PostgreSQL with its default durability in a temp folder, from the binaries of Debian's package.
 * Undefined when this machine has none. As root it runs as the user `postgres`, for PostgreSQL refuses root.
 */
export async function startPostgresCluster(): Promise<PostgresCluster | undefined> {
  const binaries = binariesFolder();
  if (binaries === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'bench-postgres-'));
  const isRoot = process.getuid?.() === 0;
  const run = (name: string, ...args: readonly string[]): string => {
    const command = [join(binaries, name), ...args];
    const [program = '', ...rest] = isRoot ? ['runuser', '-u', 'postgres', '--', ...command] : command;
    // pg_ctl's server keeps the standard streams open, so nothing may wait for them to close.
    const stdio = name === 'pg_ctl' ? 'ignore' : 'pipe';
    const result = spawnSync(program, rest, { cwd: folder, encoding: 'utf8', stdio });
    if (result.status !== 0) throw new Error(`${name} ended with ${result.status}: ${result.stderr ?? ''}`);
    return result.stdout ?? '';
  };
  if (isRoot) {
    chmodSync(folder, 0o755);
    spawnSync('chown', ['postgres', folder]);
  }
  const data = join(folder, 'data');
  const port = await freePort();
  run('initdb', '-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8');
  const settings = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder} -c max_connections=200`;
  run('pg_ctl', '-D', data, '-l', join(folder, 'log'), '-w', '-o', settings, 'start');
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    version: run('postgres', '--version').trim(),
    stop: () => {
      run('pg_ctl', '-D', data, '-m', 'fast', '-w', 'stop');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
