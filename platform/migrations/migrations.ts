import type { Migration } from '#platform/migrate.ts';

/** The schema `auth`: what the gateway keeps for itself. */
export const AUTH_SCHEMA = 'auth';

export const migrations: readonly Migration[] = [
  {
    name: '0001-revoked-tokens',
    up: [
      `create table auth.revoked_tokens (
         jti text primary key,
         expires_at timestamptz not null,
         revoked_at timestamptz not null default now(),
         revoked_by text not null
       )`,
      `create index revoked_tokens_expires_at on auth.revoked_tokens (expires_at)`,
    ],
  },
];
