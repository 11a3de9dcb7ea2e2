import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ConfigError } from './config.ts';

const LOCK_FILE = 'lock';
const OWNER_FILE = 'lock.owner';
const SECRET_BYTES = 32;

/** The folder that holds everything an embedded system keeps. Held by one process at a time. */
export interface DataFolder {
  /** Absolute. */
  readonly path: string;
  /** True on the first start: no process held the folder before, though a token may have been issued from it. */
  readonly isNew: boolean;
  /** A random secret that stays the same for ever: made once, on first use. */
  secret(name: string): Promise<string>;
  /** Lets another process have the folder. Also the end of the process does, whatever ends it. */
  close(): void;
}

/**
 * The data folder cannot be had: used by another process, not to be written, or damaged. Its message is one line for
 * the user, who can mend it as any bad setting.
 */
export class DataFolderError extends ConfigError {
  constructor(message: string, cause?: unknown) {
    super([{ name: 'DATA_DIR', reason: message }]);
    this.name = 'DataFolderError';
    this.message = message;
    this.cause = cause;
  }
}

/**
 * Makes the folder if need be and takes it for this process alone.
 *
 * @throws DataFolderError
 */
export async function openDataFolder(folder: string): Promise<DataFolder> {
  const absolute = path.resolve(folder);
  const isNew = !existsSync(path.join(absolute, LOCK_FILE));
  const lock = takeLock(absolute);
  return {
    path: absolute,
    isNew,
    secret: (name) => readOrCreateSecret(absolute, name),
    close: () => lock.close(),
  };
}

/**
 * Node has no file locks, but SQLite does: an exclusive transaction on a file is a lock of the operating system, which
 * ends with its process however that ends, is safe between two starts at once, and cannot be fooled by a reused pid.
 * The lock file itself is never read by anything else: closing any other handle on it would drop a POSIX lock.
 */
function takeLock(folder: string): DatabaseSync {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const lock = new DatabaseSync(path.join(folder, LOCK_FILE), { timeout: 0 });
    try {
      lock.exec('begin exclusive');
      writeFileSync(path.join(folder, OWNER_FILE), String(process.pid), { mode: 0o600 });
      return lock;
    } catch (error) {
      lock.close();
      throw error;
    }
  } catch (error) {
    const { message } = error as Error;
    if (/database is locked/.test(message)) {
      throw new DataFolderError(
        `data folder ${folder} is in use by process ${ownerOf(folder)}; stop it or set DATA_DIR`,
        error,
      );
    }
    throw new DataFolderError(
      `data folder ${folder} cannot be used: ${message}; set DATA_DIR to a folder this user may write`,
      error,
    );
  }
}

function ownerOf(folder: string): string {
  try {
    return readFileSync(path.join(folder, OWNER_FILE), 'utf8');
  } catch {
    // It has the lock and is about to write its number.
    return 'unknown';
  }
}

/**
 * The secret of this name, made on first use. Needs no lock: whoever comes first makes it, everybody reads the same,
 * so that a token issued before the first start is good after it.
 *
 * @param name a file name, such as `auth` for `<folder>/secrets/auth`
 * @returns 32 random bytes in base64url
 * @throws DataFolderError when the folder cannot be written or the file holds no secret
 */
export async function readOrCreateSecret(folder: string, name: string): Promise<string> {
  const directory = path.join(path.resolve(folder), 'secrets');
  const file = path.join(directory, name);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return await readSecret(file).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      await createSecret(file);
      return readSecret(file);
    });
  } catch (error) {
    if (error instanceof DataFolderError) throw error;
    throw new DataFolderError(`the secret ${file} cannot be read or made: ${(error as Error).message}`, error);
  }
}

async function readSecret(file: string): Promise<string> {
  const secret = (await readFile(file, 'utf8')).trim();
  if (secret.length < SECRET_BYTES) {
    throw new DataFolderError(
      `${file} holds no secret of at least ${SECRET_BYTES} characters; delete it to have a new one made`,
    );
  }
  return secret;
}

/** Written whole under another name first; link, unlike rename, leaves a file that somebody else made meanwhile. */
async function createSecret(file: string): Promise<void> {
  const own = `${file}.${process.pid}.${randomBytes(6).toString('hex')}`;
  await writeFile(own, randomBytes(SECRET_BYTES).toString('base64url'), { mode: 0o600, flag: 'wx', flush: true });
  try {
    await link(own, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(own, { force: true });
  }
}
