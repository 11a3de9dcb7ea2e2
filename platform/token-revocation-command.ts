import { decodeJwt } from 'jose';
import { openDataFolder } from './data-folder.ts';
import { openDatabase, waitForDatabase } from './database.ts';
import { findEmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts';
import { AppError } from './errors.ts';
import { migrate } from './migrate.ts';
import { AUTH_SCHEMA, migrations } from './migrations/migrations.ts';
import { revokeToken } from './token-revocation.ts';

/** The longest life `npm run token` gives; a token of which only the id is known may have been given it. */
const LONGEST_LIFE_MS = 3_650 * 24 * 60 * 60 * 1000;

export interface RevocationCommandOptions {
  /** Unset: the embedded Postgres of the data folder, beside a running server or without one. */
  readonly databaseUrl: string | undefined;
  readonly dataFolder: string;
}

/**
 * Revokes a token from the command line.
 *
 * @param tokenOrId a token, which needs not be valid any more, or a `jti`
 * @throws AppError INVALID_INPUT, DATABASE_UNAVAILABLE; DataFolderError
 */
export async function revokeByCommand(tokenOrId: string, options: RevocationCommandOptions): Promise<{ jti: string }> {
  const { jti, expiresAt } = readToken(tokenOrId);
  const place = await reachDatabase(options);
  try {
    const database = await openDatabase({ ...place, schema: AUTH_SCHEMA, poolSizeMax: 1 });
    try {
      await migrate(database, migrations);
      await revokeToken(database, { jti, expiresAt, revokedBy: 'command line' });
    } finally {
      await database.close();
    }
  } finally {
    await place.leave();
  }
  return { jti };
}

function readToken(tokenOrId: string): { jti: string; expiresAt: Date } {
  const farAway = new Date(Date.now() + LONGEST_LIFE_MS);
  const given = tokenOrId.trim();
  if (given.split('.').length !== 3) {
    if (given === '' || given.length > 256) throw new AppError('INVALID_INPUT', '--revoke takes a token or its jti.');
    return { jti: given, expiresAt: farAway };
  }
  try {
    const { jti, exp } = decodeJwt(given);
    if (jti === undefined) throw new Error('it has no jti');
    return { jti, expiresAt: exp === undefined ? farAway : new Date(exp * 1000) };
  } catch (error) {
    throw new AppError('INVALID_INPUT', `--revoke: this token cannot be read (${(error as Error).message}).`, {
      cause: error,
    });
  }
}

async function reachDatabase(
  options: RevocationCommandOptions,
): Promise<{ connectionString: string; embedded: boolean; leave: () => Promise<void> }> {
  if (options.databaseUrl !== undefined) {
    await waitForDatabase(options.databaseUrl);
    return { connectionString: options.databaseUrl, embedded: false, leave: async () => undefined };
  }
  const running = await findEmbeddedPostgres(options.dataFolder);
  if (running !== undefined) return { connectionString: running, embedded: true, leave: async () => undefined };
  const dataFolder = await openDataFolder(options.dataFolder);
  try {
    const postgres = await startEmbeddedPostgres({ dataFolder: dataFolder.path });
    const leave = async (): Promise<void> => {
      await postgres.close();
      dataFolder.close();
    };
    return { connectionString: postgres.connectionString, embedded: true, leave };
  } catch (error) {
    dataFolder.close();
    throw error;
  }
}
