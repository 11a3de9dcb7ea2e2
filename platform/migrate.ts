import { createHash } from 'node:crypto';
import type { Database, Sql } from './database.ts';

/** One step of a schema, applied whole or not at all, and never changed once it was released. */
export interface Migration {
  /** Unique in its schema, such as `0001-requests-and-attempts`; they apply in the order of their array. */
  readonly name: string;
  /** SQL statements with schema-qualified names, for PostgreSQL 15 and later; no `create index concurrently`. */
  readonly up: readonly string[];
}

export interface MigrateOptions {
  /** Called as each migration has been committed. */
  readonly onApplied?: (name: string) => void;
}

interface AppliedRow {
  readonly name: string;
  readonly checksum: string;
}

/**
 * Brings a part's schema up to date. Safe when several processes do it at once: each takes turns, and finds done what
 * another did. What the table records beyond this list is from a newer version that ran already, and is let be.
 *
 * @param database the part's own; its schema is made and holds the table `migrations`
 * @returns the names of the migrations this call applied
 * @throws Error when an applied migration's statements differ from those recorded
 */
export async function migrate(
  database: Database,
  migrations: readonly Migration[],
  options: MigrateOptions = {},
): Promise<string[]> {
  checkNames(migrations);
  const table = `${quoted(database.schema)}.migrations`;
  await makeTable(database, table);
  const applied: string[] = [];
  for (const migration of migrations) {
    const isNew = await database.transaction((sql) => applyOne(sql, table, migration));
    if (!isNew) continue;
    applied.push(migration.name);
    options.onApplied?.(migration.name);
  }
  return applied;
}

/** Names of those migrations that have not been applied yet; changes nothing. */
export async function pendingMigrations(database: Database, migrations: readonly Migration[]): Promise<string[]> {
  const table = `${quoted(database.schema)}.migrations`;
  const [found] = await database.sql<{ exists: boolean }>('select to_regclass($1) is not null as exists', [table]);
  if (found?.exists !== true) return migrations.map(({ name }) => name);
  const rows = await database.sql<AppliedRow>(`select name, checksum from ${table}`);
  return migrations.filter(({ name }) => !rows.some((row) => row.name === name)).map(({ name }) => name);
}

async function applyOne(sql: Sql, table: string, migration: Migration): Promise<boolean> {
  // A lock of the transaction, because sessions are shared on the embedded Postgres. Reading stays possible meanwhile.
  await sql(`lock table ${table} in share row exclusive mode`);
  const [row] = await sql<AppliedRow>(`select name, checksum from ${table} where name = $1`, [migration.name]);
  const checksum = checksumOf(migration);
  if (row !== undefined) {
    if (row.checksum === checksum) return false;
    throw new Error(
      `migration ${migration.name} was changed after it had been applied; restore it and add a new one instead`,
    );
  }
  for (const statement of migration.up) await sql(statement);
  await sql(`insert into ${table} (name, checksum) values ($1, $2)`, [migration.name, checksum]);
  return true;
}

async function makeTable(database: Database, table: string): Promise<void> {
  await database.transaction(async (sql) => {
    // "if not exists" alone is not safe when two run it at once; this lock is one of the transaction, too.
    await sql('select pg_advisory_xact_lock(hashtextextended($1, 0))', [table]);
    await sql(`create schema if not exists ${quoted(database.schema)}`);
    await sql(
      `create table if not exists ${table} (
         name text primary key,
         checksum text not null,
         applied_at timestamptz not null default now()
       )`,
    );
  });
}

function checkNames(migrations: readonly Migration[]): void {
  const names = migrations.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Error(`two migrations are called ${twice}`);
}

/** White space around and between words is free to change, so that a formatter cannot break a release. */
function checksumOf({ up }: Migration): string {
  const text = up.map((statement) => statement.trim().replace(/\s+/g, ' ')).join(';\n');
  return createHash('sha256').update(text).digest('hex');
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
