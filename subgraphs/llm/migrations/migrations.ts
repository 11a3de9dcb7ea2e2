import type { Migration } from '#platform/migrate.ts';
import { ledgerFunctions } from './ledger-functions.ts';

/**
 * The schema `llm`, oldest change first; what was once released is never edited. Runs on PostgreSQL 15 and 18, and on
 * the embedded one. Money is `numeric`, rounded once a row to 10 decimals (see `usage-cost.ts`).
 */
export const migrations: readonly Migration[] = [
  {
    name: '001-usage-ledger',
    up: [
      `create schema if not exists llm`,

      // `id` is a UUIDv7 of `created_at`, so the order of ids is the order of creation.
      `create table llm.llm_requests (
        id uuid primary key,
        request_id text not null,
        kind text not null check (kind in ('COMPLETION', 'EMBEDDING')),
        microdao_id text not null,
        agent_id text,
        subject text not null,
        actor text,
        requested_model text not null,
        provider text not null,
        model text not null,
        status text not null check (status in ('RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'INTERRUPTED')),
        error_code text,
        input_tokens bigint not null default 0 check (input_tokens >= 0),
        output_tokens bigint not null default 0 check (output_tokens >= 0),
        cached_input_tokens bigint not null default 0 check (cached_input_tokens between 0 and input_tokens),
        reasoning_tokens bigint not null default 0 check (reasoning_tokens between 0 and output_tokens),
        cost_usd numeric(30, 10) check (cost_usd >= 0),
        estimated boolean not null default false,
        price_version text,
        input_chars integer not null default 0,
        process_id uuid not null,
        idempotency_scope text,
        created_at timestamptz not null,
        settled_at timestamptz,
        latency_ms integer,
        ttft_ms integer,
        check ((status = 'RUNNING') = (settled_at is null))
      )`,
      // llmRequests, of a microDAO and of an agent. By time and not by id alone, which would tempt the planner to walk
      // through the primary key, over all tenants, for an agent that has few requests.
      `create index llm_requests_by_microdao on llm.llm_requests (microdao_id, created_at, id)`,
      `create index llm_requests_by_agent on llm.llm_requests (microdao_id, agent_id, created_at, id)`,
      // llmUsage: what is not rolled up yet, and hours that a period begins or ends in.
      `create index llm_requests_by_settlement on llm.llm_requests (microdao_id, settled_at) where settled_at is not null`,
      // The roll-up job.
      `create index llm_requests_settled on llm.llm_requests (settled_at) where settled_at is not null`,
      // Settling what a dead process left open.
      `create index llm_requests_running on llm.llm_requests (process_id) where status = 'RUNNING'`,

      // Nothing that an update changes is indexed and pages keep room, so settlements and checkpoints are HOT updates.
      `create table llm.llm_attempts (
        llm_request_id uuid not null,
        number smallint not null check (number >= 1),
        provider text not null,
        model text not null,
        status text not null check (status in ('RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'INTERRUPTED')),
        error_code text,
        input_tokens bigint not null default 0 check (input_tokens >= 0),
        output_tokens bigint not null default 0 check (output_tokens >= 0),
        cached_input_tokens bigint not null default 0 check (cached_input_tokens between 0 and input_tokens),
        reasoning_tokens bigint not null default 0 check (reasoning_tokens between 0 and output_tokens),
        cost_usd numeric(30, 10) check (cost_usd >= 0),
        estimated boolean not null default false,
        price_version text,
        input_usd_per_million numeric,
        output_usd_per_million numeric,
        cached_input_usd_per_million numeric,
        started_at timestamptz not null,
        settled_at timestamptz,
        latency_ms integer,
        ttft_ms integer,
        checkpoint_at timestamptz,
        primary key (llm_request_id, number)
      ) with (fillfactor = 60)`,

      // A process is buried when its lease ran out; only then are its open rows settled by others.
      `create table llm.llm_processes (
        id uuid primary key,
        started_at timestamptz not null default now(),
        lease_until timestamptz not null,
        buried_at timestamptz
      ) with (fillfactor = 50)`,

      `create table llm.llm_idempotency (
        scope text primary key,
        body_hash text not null,
        state text not null check (state in ('RUNNING', 'SUCCEEDED', 'FAILED')),
        microdao_id text not null,
        llm_request_id uuid not null,
        answer text,
        created_at timestamptz not null default now(),
        expires_at timestamptz not null
      )`,
      `create index llm_idempotency_expiry on llm.llm_idempotency (expires_at)`,

      `create table llm.llm_model_prices (
        model_id text not null,
        version integer not null check (version >= 1),
        input_usd_per_million numeric not null check (input_usd_per_million >= 0),
        output_usd_per_million numeric not null check (output_usd_per_million >= 0),
        cached_input_usd_per_million numeric not null check (cached_input_usd_per_million >= 0),
        set_by text not null,
        created_at timestamptz not null default now(),
        primary key (model_id, version)
      )`,
    ],
  },
  {
    name: '002-usage-rollup',
    up: [
      // Bucket i > 0 holds latencies in (g^(i-2), g^(i-1)] ms with g = 1.02 / 0.98; bucket 0 holds 0 ms. Any value is
      // within 2 % of its bucket's middle: DDSketch (Masson, Rim, Lee: PVLDB 12(12), 2019). usage-percentiles.ts reads it.
      `create function llm.latency_bucket(latency_ms integer) returns integer language sql immutable parallel safe as
        $$ select case when $1 is null then null when $1 <= 0 then 0 else ceil(ln($1::float8) / ln(1.02::float8 / 0.98::float8) - 1e-9)::integer + 1 end $$`,

      // Histograms are text, 'bucket:count' joined by commas; adding two of them keeps one entry a bucket.
      `create function llm.add_histograms(a text, b text) returns text language sql immutable parallel safe as
        $$ select coalesce(string_agg(bucket || ':' || count, ',' order by bucket::integer), '')
           from (select split_part(entry, ':', 1) as bucket, sum(split_part(entry, ':', 2)::bigint) as count
                 from regexp_split_to_table(a || case when a = '' or b = '' then '' else ',' end || b, ',') as entry
                 where entry <> '' group by 1) as buckets $$`,

      // What was settled before the watermark, by hour and again by day; `agent_id` is '' where none was named.
      `create table llm.llm_usage_rollups (
        grain text not null check (grain in ('hour', 'day')),
        starts_at timestamptz not null,
        microdao_id text not null,
        agent_id text not null,
        kind text not null,
        provider text not null,
        model text not null,
        status text not null,
        requests bigint not null,
        unpriced_requests bigint not null,
        input_tokens bigint not null,
        output_tokens bigint not null,
        cached_input_tokens bigint not null,
        reasoning_tokens bigint not null,
        cost_usd numeric(40, 10) not null,
        latencies text not null,
        primary key (microdao_id, grain, starts_at, agent_id, kind, provider, model, status)
      )`,

      // One row; whoever locks it rolls up.
      `create table llm.llm_usage_watermark (
        only_row boolean primary key default true check (only_row),
        rolled_up_to timestamptz not null
      )`,
      `insert into llm.llm_usage_watermark (rolled_up_to) values ('epoch')`,
    ],
  },
  { name: '003-ledger-functions', up: ledgerFunctions },
];
