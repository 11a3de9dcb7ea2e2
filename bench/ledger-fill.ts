import { Client } from 'pg';

/** Of each row's microDAO, agents and models, chosen by the row's number so that every run measures the same. */
export const benchMicrodao = 'microdao:bench';
const microdaosMax = 5;
const agentsMax = 40;
const rowsInOneStatement = 50_000;

const fillStatement = `
insert into llm.llm_requests (id, request_id, kind, microdao_id, agent_id, subject, requested_model, provider, model, status,
  error_code, input_tokens, output_tokens, cached_input_tokens, reasoning_tokens, cost_usd, price_version, process_id,
  created_at, settled_at, latency_ms, ttft_ms)
select
  (lpad(to_hex((extract(epoch from created_at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3) || 'a' || substr(md5(n::text), 4, 15))::uuid,
  'bench-' || n, 'COMPLETION', case when n % ${microdaosMax} = 0 then '${benchMicrodao}' else 'microdao:other' || n % ${microdaosMax} end,
  'agent:a' || n % ${agentsMax}, 'service:bench', model, provider, model,
  case when n % 50 = 0 then 'FAILED' else 'SUCCEEDED' end, case when n % 50 = 0 then 'PROVIDER_TIMEOUT' end,
  200 + n % 3000, 20 + n % 500, n % 200, n % 20, ((200 + n % 3000) * 2.5 + (20 + n % 500) * 10) / 1000000, 'bench',
  '00000000-0000-7000-8000-000000000000', created_at, created_at + latency_ms * interval '1 millisecond', latency_ms, latency_ms / 3
from (
  select n, now() - interval '10 minutes' - (n::float8 / $3) * interval '30 days' as created_at,
    200 + (n * 7919 % 4000)::integer as latency_ms,
    (array['gpt-4o', 'gpt-4o-mini', 'claude-sonnet-4-5', 'deepseek-chat'])[1 + n % 4] as model,
    (array['openai', 'openai', 'anthropic', 'deepseek'])[1 + n % 4] as provider
  from generate_series($1::bigint, $2::bigint) as n
) as made`;

/** Fills the ledger with settled requests of the last 30 days, a fifth of them of `benchMicrodao`. */
export async function fillLedger(connectionString: string, rows: number): Promise<void> {
  const client = new Client({ connectionString });
  await client.connect();
  try {
    for (let from = 1; from <= rows; from += rowsInOneStatement) {
      await client.query(fillStatement, [from, Math.min(from + rowsInOneStatement - 1, rows), rows]);
    }
    await client.query('analyze llm.llm_requests');
  } finally {
    await client.end();
  }
}

/** True when everything that was filled in is rolled up. */
export async function isRolledUp(connectionString: string): Promise<boolean> {
  const client = new Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query<{ done: boolean }>(
      `select rolled_up_to > now() - interval '9 minutes' as done from llm.llm_usage_watermark`,
    );
    return rows[0]?.done === true;
  } finally {
    await client.end();
  }
}
