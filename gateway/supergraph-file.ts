import { watch, type FSWatcher } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Supergraph, type SupergraphOptions } from './supergraph.ts';

/** The supergraph in use; a reload replaces `current`. What began on an older one ends on it. */
export interface SupergraphHolder {
  readonly current: Supergraph;
  /** Calls back after each reload; returns what unsubscribes. */
  onChange(callback: (supergraph: Supergraph) => void): () => void;
  close(): void;
}

export interface SupergraphFileOptions extends SupergraphOptions {
  readonly path: string;
}

// Editors and `npm run generate` write in several steps; a reload waits for the last of them.
const settleMs = 100;
// Network file systems and some containers deliver no change events at all.
const pollIntervalMs = 5_000;

/**
 * Loads the supergraph and loads it again whenever the file's content changes. A file that is no supergraph is
 * refused with one log line, and the old one stays in use.
 *
 * @throws Error when the file cannot be loaded the first time
 */
export async function openSupergraphFile(options: SupergraphFileOptions): Promise<SupergraphHolder> {
  const holder = new SupergraphFile(options, await readFile(options.path, 'utf8'));
  holder.watch();
  return holder;
}

class SupergraphFile implements SupergraphHolder {
  readonly #options: SupergraphFileOptions;
  readonly #callbacks = new Set<(supergraph: Supergraph) => void>();
  #current: Supergraph;
  /** Loaded or refused: it is not looked at twice. */
  #seenText: string;
  #watcher: FSWatcher | undefined;
  #poll: NodeJS.Timeout | undefined;
  #settling: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: SupergraphFileOptions, text: string) {
    this.#options = options;
    this.#current = Supergraph.fromSdl(text, options);
    this.#seenText = text;
  }

  get current(): Supergraph {
    return this.#current;
  }

  onChange(callback: (supergraph: Supergraph) => void): () => void {
    this.#callbacks.add(callback);
    return () => void this.#callbacks.delete(callback);
  }

  close(): void {
    this.#closed = true;
    this.#watcher?.close();
    clearInterval(this.#poll);
    clearTimeout(this.#settling);
  }

  /** The folder is watched, not the file: one that is replaced by a rename is another file, and so is a ConfigMap's. */
  watch(): void {
    const { path, logger } = this.#options;
    const changed = () => {
      clearTimeout(this.#settling);
      this.#settling = setTimeout(() => void this.#reload(), settleMs);
    };
    this.#watcher = watch(dirname(path), { persistent: false }, changed);
    this.#watcher.on('error', (error) => {
      logger.warn({ err: error }, 'the supergraph cannot be watched any more; it is polled instead');
      this.#watcher?.close();
    });
    this.#poll = setInterval(() => void this.#reload(), pollIntervalMs).unref();
  }

  async #reload(): Promise<void> {
    const { path, logger } = this.#options;
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if (!this.#closed && this.#seenText !== '')
        logger.error({ err: error }, 'the supergraph file cannot be read; the old one stays in use');
      this.#seenText = '';
      return;
    }
    if (this.#closed || text === this.#seenText) return;
    this.#seenText = text;
    try {
      this.#current = Supergraph.fromSdl(text, this.#options);
    } catch (error) {
      logger.error({ err: error }, 'the changed supergraph is refused; the old one stays in use');
      return;
    }
    logger.info('a changed supergraph is in use');
    for (const callback of this.#callbacks) callback(this.#current);
  }
}
