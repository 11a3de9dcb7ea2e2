import type { Supergraph } from './supergraph.ts';

/** The supergraph in use; a reload replaces `current`. What began on an older one ends on it. */
export interface SupergraphHolder {
  readonly current: Supergraph;
  /** Calls back after each reload; returns what unsubscribes. */
  onChange(callback: (supergraph: Supergraph) => void): () => void;
  close(): void;
}
