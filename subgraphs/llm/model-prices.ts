import { Decimal } from 'decimal.js';
import { DatabaseError } from 'pg';
import type { Database } from '#platform/database.ts';
import type { Logger } from '#platform/logging.ts';
import { startJob, type BackgroundJob } from './background-job.ts';
import { InputProblems } from './input-problems.ts';
import type { ModelPrice } from './model-catalogue-file.ts';
import type { ProviderName } from './providers/provider.ts';

export interface NewPrice {
  readonly inputUsd: string;
  readonly outputUsd: string;
  /** The input price when left out. */
  readonly cachedInputUsd?: string | null | undefined;
}

interface PriceRow {
  readonly model_id: string;
  readonly version: number;
  readonly input_usd: string;
  readonly output_usd: string;
  readonly cached_usd: string;
}

const refreshIntervalMs = 5_000;
const usdMax = 1_000_000;
const triesMax = 5;

/**
 * Prices that were set at run time. They are versions, never changed: a ledger row names the one it was written with.
 * Kept in memory and read again every few seconds, so other replicas follow a change within that time.
 */
export class ModelPrices {
  readonly #database: Database;
  readonly #job: BackgroundJob;
  #prices: ReadonlyMap<string, ModelPrice> = new Map();

  private constructor(database: Database, logger: Logger) {
    this.#database = database;
    this.#job = startJob('model prices', refreshIntervalMs, logger, () => this.#refresh());
  }

  static async open({
    database,
    logger,
  }: {
    readonly database: Database;
    readonly logger: Logger;
  }): Promise<ModelPrices> {
    const prices = new ModelPrices(database, logger);
    await prices.#job.runNow();
    return prices;
  }

  close(): Promise<void> {
    return this.#job.stop();
  }

  /** The price set for a provider's model; undefined when none was, and the catalogue's holds. */
  get(provider: ProviderName, name: string): ModelPrice | undefined {
    return this.#prices.get(`${provider}/${name}`);
  }

  /**
   * Sets a price from now on; durable, and in use here, when it resolves.
   *
   * @throws AppError INVALID_INPUT for what is not an exact decimal from 0 to a million with at most 10 decimals
   */
  async set(provider: ProviderName, name: string, price: NewPrice, setBy: string): Promise<void> {
    const problems = new InputProblems();
    const inputUsd = readUsd(problems, 'inputUsd', price.inputUsd);
    const outputUsd = readUsd(problems, 'outputUsd', price.outputUsd);
    const cachedInputUsd =
      price.cachedInputUsd == null ? inputUsd : readUsd(problems, 'cachedInputUsd', price.cachedInputUsd);
    problems.throwIfAny();
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#database.sql(
          `insert into llm.llm_model_prices (model_id, version, input_usd_per_million, output_usd_per_million,
             cached_input_usd_per_million, set_by)
           select $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5 from llm.llm_model_prices where model_id = $1`,
          [`${provider}/${name}`, inputUsd, outputUsd, cachedInputUsd, setBy],
        );
        break;
      } catch (error) {
        // Two at once made the same version number.
        if (!(error instanceof DatabaseError) || error.code !== '23505' || attempt === triesMax) throw error;
      }
    }
    await this.#job.runNow();
  }

  async #refresh(): Promise<void> {
    const rows = await this.#database.sql<PriceRow>(
      `select distinct on (model_id) model_id, version, trim_scale(input_usd_per_million)::text as input_usd,
         trim_scale(output_usd_per_million)::text as output_usd, trim_scale(cached_input_usd_per_million)::text as cached_usd
       from llm.llm_model_prices order by model_id, version desc`,
    );
    this.#prices = new Map(
      rows.map((row) => [
        row.model_id,
        {
          inputUsd: row.input_usd,
          outputUsd: row.output_usd,
          cachedInputUsd: row.cached_usd,
          version: `set-${row.version}`,
        },
      ]),
    );
  }
}

function readUsd(problems: InputProblems, path: string, text: string): string {
  if (!/^\d{1,7}(\.\d{1,10})?$/.test(text) || new Decimal(text).greaterThan(usdMax)) {
    problems.add(
      path,
      'must be US dollars per million tokens: an exact decimal such as 2.50, from 0 to 1000000, with at most 10 decimals',
    );
  }
  return text;
}
