/**
 * The ledger's SQL. Each text is constant and takes its rows as one JSON parameter, so a batch of any size is one
 * statement, one transaction and one round trip. `now()` is the transaction's start.
 */

/** One row to open; see `openStatement`. Prices are per million tokens, null when unknown. */
export interface OpenRow {
  readonly id: string;
  readonly request_id: string;
  readonly kind: string;
  readonly microdao_id: string;
  readonly agent_id: string | null;
  readonly subject: string;
  readonly actor: string | null;
  readonly requested_model: string;
  readonly provider: string;
  readonly model: string;
  readonly price_version: string | null;
  readonly input_usd: string | null;
  readonly output_usd: string | null;
  readonly cached_usd: string | null;
  readonly input_chars: number;
  readonly created_ms: number;
  readonly scope: string | null;
  readonly body_hash: string | null;
}

/** $1 `OpenRow`s, $2 the writing process. The functions are in migrations/ledger-functions.ts. */
export const openStatement = 'select is_alive from llm.open_requests($1, $2)';
export const openKeyedStatement = 'select is_alive, claimed_ids from llm.open_keyed_requests($1, $2)';

/** One row to settle; the `all_` figures are the request's, over all its attempts. */
export interface SettleRow {
  readonly id: string;
  readonly number: number;
  readonly status: string;
  readonly error_code: string | null;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cached_tokens: number;
  readonly reasoning_tokens: number;
  readonly cost_usd: string | null;
  readonly estimated: boolean;
  readonly latency_ms: number;
  readonly ttft_ms: number | null;
  readonly all_input: number;
  readonly all_output: number;
  readonly all_cached: number;
  readonly all_reasoning: number;
  readonly all_cost: string | null;
  readonly all_estimated: boolean;
  readonly all_latency: number;
  readonly all_ttft: number | null;
  readonly scope: string | null;
  readonly answer: string | null;
}

/** $1 `SettleRow`s; returns each `id` that was settled. */
export const settleStatement = 'select llm.settle_requests($1) as id';
export const settleKeyedStatement = 'select llm.settle_keyed_requests($1) as id';

/** What became of requests that a settlement did not find RUNNING. $1 ids. */
export const statusesStatement = `select id::text, status, process_id::text from llm.llm_requests where id = any($1::uuid[])`;

/** Closes attempt `number` with its figures and opens the next one. $1 one row, $2 the next attempt's number. */
export const nextAttemptStatement = `with item as (
  select * from json_to_record($1::json) as item (id uuid, number smallint, error_code text, input_tokens bigint,
    output_tokens bigint, cached_tokens bigint, reasoning_tokens bigint, cost_usd numeric, estimated boolean,
    latency_ms integer, ttft_ms integer, provider text, model text, price_version text, input_usd numeric,
    output_usd numeric, cached_usd numeric, next_number smallint)
), request as (
  update llm.llm_requests as request
  set provider = item.provider, model = item.model, price_version = item.price_version
  from item where request.id = item.id and request.status = 'RUNNING'
  returning request.id
), closed as (
  update llm.llm_attempts as attempt
  set status = 'FAILED', error_code = item.error_code, input_tokens = item.input_tokens, output_tokens = item.output_tokens,
    cached_input_tokens = cached_tokens, reasoning_tokens = item.reasoning_tokens, cost_usd = item.cost_usd,
    estimated = item.estimated, latency_ms = item.latency_ms, ttft_ms = item.ttft_ms, settled_at = now()
  from item join request using (id) where attempt.llm_request_id = item.id and attempt.number = item.number
), opened as (
  insert into llm.llm_attempts (llm_request_id, number, provider, model, status, price_version, input_usd_per_million,
    output_usd_per_million, cached_input_usd_per_million, started_at)
  select id, next_number, provider, model, 'RUNNING', price_version, input_usd, output_usd, cached_usd, now()
  from item join request using (id)
  on conflict do nothing
)
select id::text from request`;

/** $1 rows of what running attempts have delivered. Rows that a settlement holds are passed over: it knows better. */
export const checkpointStatement = `with item as (
  select * from json_to_recordset($1::json) as item (id uuid, number smallint, input_tokens bigint, output_tokens bigint,
    cached_tokens bigint, reasoning_tokens bigint, ttft_ms integer)
), free as (
  select attempt.llm_request_id, attempt.number
  from llm.llm_attempts as attempt join item on attempt.llm_request_id = item.id and attempt.number = item.number
  where attempt.status = 'RUNNING' for update of attempt skip locked
)
update llm.llm_attempts as attempt
set input_tokens = item.input_tokens, output_tokens = item.output_tokens, cached_input_tokens = item.cached_tokens,
  reasoning_tokens = item.reasoning_tokens, ttft_ms = item.ttft_ms, checkpoint_at = now()
from item, free
where free.llm_request_id = item.id and free.number = item.number
  and attempt.llm_request_id = free.llm_request_id and attempt.number = free.number`;

/** $1 process, $2 lease in milliseconds. */
export const registerProcessStatement = `insert into llm.llm_processes (id, lease_until)
values ($1, now() + $2::integer * interval '1 millisecond')
on conflict (id) do nothing`;

/** Returns no row when the process was buried: others have taken over what it had open. */
export const renewLeaseStatement = `update llm.llm_processes set lease_until = now() + $2::integer * interval '1 millisecond'
where id = $1 and buried_at is null returning id`;

/** $1 own process, $2 how long past its end a lease has to be (milliseconds, negative: no lease counts). */
export const buryStatement = `update llm.llm_processes set buried_at = now()
where id <> $1 and buried_at is null
  and ($2::integer < 0 or lease_until < now() - $2::integer * interval '1 millisecond')
returning id`;

export const buryOneStatement = `update llm.llm_processes set buried_at = now() where id = $1 and buried_at is null`;

/** Forgets the dead whose books are closed. */
export const forgetBuriedStatement = `delete from llm.llm_processes as process
where buried_at < now() - interval '1 day'
  and not exists (select from llm.llm_requests where status = 'RUNNING' and process_id = process.id)`;

/**
 * Settles open rows of buried processes, at most $1, from what their last checkpoint says was delivered. Input that no
 * provider counted is estimated as characters / 4. Several processes may run it at once: rows are locked, others skip
 * them, and only RUNNING rows are touched, so each is settled once. Returns `settled`, the number of them.
 */
export const settleBuriedStatement = `with dead as (
  select request.id, request.input_chars, request.idempotency_scope
  from llm.llm_requests as request join llm.llm_processes as process on process.id = request.process_id
  where request.status = 'RUNNING' and process.buried_at is not null
  order by request.id limit $1 for update of request skip locked
), attempt as (
  update llm.llm_attempts as attempt
  set status = 'INTERRUPTED', estimated = true, settled_at = now(), input_tokens = counted.input_tokens,
    latency_ms = (extract(epoch from attempt.checkpoint_at - attempt.started_at) * 1000)::integer,
    cost_usd = round(((counted.input_tokens - attempt.cached_input_tokens) * attempt.input_usd_per_million
      + attempt.cached_input_tokens * attempt.cached_input_usd_per_million
      + attempt.output_tokens * attempt.output_usd_per_million) / 1000000, 10)
  from dead cross join lateral (select ceil(dead.input_chars / 4.0)::bigint as guess) as guessed
    join llm.llm_attempts as before on before.llm_request_id = dead.id
    cross join lateral (select case when before.input_tokens > 0 then before.input_tokens else guess end as input_tokens) as counted
  where attempt.llm_request_id = dead.id and attempt.number = before.number and attempt.status = 'RUNNING'
  returning attempt.llm_request_id as id, attempt.input_tokens, attempt.output_tokens, attempt.cached_input_tokens,
    attempt.reasoning_tokens, attempt.cost_usd, attempt.latency_ms, attempt.ttft_ms
), figures as (
  select * from attempt
  union all
  select llm_request_id, input_tokens, output_tokens, cached_input_tokens, reasoning_tokens, cost_usd, latency_ms, ttft_ms
  from llm.llm_attempts where llm_request_id in (select id from dead) and status <> 'RUNNING'
), total as (
  select id, sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens,
    sum(cached_input_tokens) as cached_input_tokens, sum(reasoning_tokens) as reasoning_tokens,
    case when bool_and(cost_usd is not null) then sum(cost_usd) end as cost_usd,
    sum(latency_ms) as latency_ms, min(ttft_ms) as ttft_ms
  from figures group by id
), settled as (
  update llm.llm_requests as request
  set status = 'INTERRUPTED', estimated = true, settled_at = now(), input_tokens = coalesce(total.input_tokens, 0),
    output_tokens = coalesce(total.output_tokens, 0), cached_input_tokens = coalesce(total.cached_input_tokens, 0),
    reasoning_tokens = coalesce(total.reasoning_tokens, 0), cost_usd = total.cost_usd, latency_ms = total.latency_ms,
    ttft_ms = total.ttft_ms
  from dead left join total using (id)
  where request.id = dead.id and request.status = 'RUNNING'
  returning request.id, request.idempotency_scope
), freed as (
  update llm.llm_idempotency as held set state = 'FAILED', answer = null
  from settled where held.scope = settled.idempotency_scope and held.llm_request_id = settled.id and held.state = 'RUNNING'
)
select count(*)::integer as settled from settled`;
