/**
 * The ledger's two hot statements, as functions: PostgreSQL keeps their plans for a session, where planning was half of
 * what they cost (1.3 to 2 ms embedded, 0.6 ms on a server, for each batch). Each takes its rows as one JSON value, so a
 * batch of any size is one call, one transaction and one round trip. `now()` is the transaction's start: see
 * usage-rollup.ts for why `settled_at` has to be that. Once released, a changed function is a new migration.
 */

/** `OpenRow`s of usage-ledger-statements.ts. */
const openItems = `item as (
    select * from json_to_recordset(items) as item (id uuid, request_id text, kind text, microdao_id text, agent_id text,
      subject text, actor text, requested_model text, provider text, model text, price_version text, input_usd numeric,
      output_usd numeric, cached_usd numeric, input_chars integer, created_ms bigint, scope text, body_hash text)
  )`;

const insertOpened = (condition: string) => `opened as (
    insert into llm.llm_requests (id, request_id, kind, microdao_id, agent_id, subject, actor, requested_model, provider,
      model, status, price_version, input_chars, process_id, idempotency_scope, created_at)
    select item.id, request_id, kind, microdao_id, agent_id, subject, actor, requested_model, provider, model, 'RUNNING',
      price_version, input_chars, writer, scope, to_timestamp(created_ms / 1000.0)
    from item where ${condition}
    on conflict (id) do nothing
    returning id
  ), attempt as (
    insert into llm.llm_attempts (llm_request_id, number, provider, model, status, price_version, input_usd_per_million,
      output_usd_per_million, cached_input_usd_per_million, started_at)
    select id, 1, provider, model, 'RUNNING', price_version, input_usd, output_usd, cached_usd, to_timestamp(created_ms / 1000.0)
    from item join opened using (id)
  )`;

/**
 * Opens requests with their first attempts. `is_alive` is false when the writing process was buried, and then nothing
 * was written. Repeating it changes nothing (`on conflict do nothing`).
 */
const openRequests = `create function llm.open_requests(items json, writer uuid, out is_alive boolean)
language plpgsql as $$
#variable_conflict use_column
begin
  is_alive := exists (select from llm.llm_processes where id = writer and buried_at is null);
  if is_alive then
    with ${openItems}, ${insertOpened('true')}
    select true into is_alive;
  end if;
end $$`;

/**
 * As `open_requests`, for batches with idempotency keys: each is claimed first, and a row whose key is held by another
 * request is left out while its neighbours are written. A key is free when it is new, has expired, or belongs to a failed
 * request with the same body. Keys are locked in order, so batches of several processes don't deadlock.
 * `claimed_ids` are the requests that got their key.
 */
const openKeyedRequests = `create function llm.open_keyed_requests(items json, writer uuid, out is_alive boolean, out claimed_ids text[])
language plpgsql as $$
#variable_conflict use_column
begin
  is_alive := exists (select from llm.llm_processes where id = writer and buried_at is null);
  if is_alive then
    with ${openItems}, claimed as (
      insert into llm.llm_idempotency as held (scope, body_hash, state, microdao_id, llm_request_id, expires_at)
      select scope, body_hash, 'RUNNING', microdao_id, item.id, now() + interval '24 hours'
      from item where scope is not null order by scope
      on conflict (scope) do update
        set body_hash = excluded.body_hash, state = 'RUNNING', llm_request_id = excluded.llm_request_id, answer = null,
          created_at = now(), expires_at = excluded.expires_at
        where held.expires_at <= now() or held.llm_request_id = excluded.llm_request_id
          or (held.state = 'FAILED' and held.body_hash = excluded.body_hash)
      returning llm_request_id
    ), ${insertOpened('scope is null or item.id in (select llm_request_id from claimed)')}
    select array(select llm_request_id::text from claimed) into claimed_ids;
  end if;
end $$`;

/** `SettleRow`s of usage-ledger-statements.ts. What is still RUNNING is settled (compare-and-set), with its attempt. */
const settleBody = `with item as (
    select * from json_to_recordset(items) as item (id uuid, number smallint, status text, error_code text,
      input_tokens bigint, output_tokens bigint, cached_tokens bigint, reasoning_tokens bigint, cost_usd numeric,
      estimated boolean, latency_ms integer, ttft_ms integer, all_input bigint, all_output bigint, all_cached bigint,
      all_reasoning bigint, all_cost numeric, all_estimated boolean, all_latency integer, all_ttft integer, scope text,
      answer text)
  ), settled as (
    update llm.llm_requests as request
    set status = item.status, error_code = item.error_code, input_tokens = all_input, output_tokens = all_output,
      cached_input_tokens = all_cached, reasoning_tokens = all_reasoning, cost_usd = all_cost, estimated = all_estimated,
      latency_ms = all_latency, ttft_ms = all_ttft, settled_at = now()
    from item where request.id = item.id and request.status = 'RUNNING'
    returning item.*
  ), attempt as (
    update llm.llm_attempts as attempt
    set status = settled.status, error_code = settled.error_code, input_tokens = settled.input_tokens,
      output_tokens = settled.output_tokens, cached_input_tokens = settled.cached_tokens,
      reasoning_tokens = settled.reasoning_tokens, cost_usd = settled.cost_usd, estimated = settled.estimated,
      latency_ms = settled.latency_ms, ttft_ms = settled.ttft_ms, settled_at = now()
    from settled where attempt.llm_request_id = settled.id and attempt.number = settled.number
  )`;

/** A kept plan must look rows up by their keys, also when it was made while the tables were empty. */
const byKeyOnly = `set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off`;

/** Returns the ids that this call settled. */
const settleRequests = `create function llm.settle_requests(items json) returns setof text
language plpgsql ${byKeyOnly} as $$
#variable_conflict use_column
begin
  return query ${settleBody}
  select id::text from settled;
end $$`;

/** As `settle_requests`, and in the same transaction keeps the answer under its key, or frees the key of a failure. */
const settleKeyedRequests = `create function llm.settle_keyed_requests(items json) returns setof text
language plpgsql ${byKeyOnly} as $$
#variable_conflict use_column
begin
  return query ${settleBody}, held as (
    select scope from llm.llm_idempotency where scope in (select scope from item) order by scope for update
  ), answered as (
    update llm.llm_idempotency as kept
    set state = case when settled.answer is null then 'FAILED' else 'SUCCEEDED' end, answer = settled.answer,
      expires_at = now() + interval '24 hours'
    from settled join held using (scope)
    where kept.scope = settled.scope and kept.llm_request_id = settled.id
  )
  select id::text from settled;
end $$`;

export const ledgerFunctions: readonly string[] = [
  openRequests,
  openKeyedRequests,
  settleRequests,
  settleKeyedRequests,
];
