import type { QueryPlan } from '@apollo/query-planner';
import type { DocumentNode, GraphQLFormattedError, OperationDefinitionNode } from 'graphql';
import type { Caller } from '#platform/caller.ts';

/** What travels with one execution of a prepared operation. */
export interface OperationRequest {
  /** As the client sent them; ones the operation does not declare are left out. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  readonly caller: Caller;
  readonly requestId: string;
  /** W3C trace context of the client, passed on as it came. */
  readonly traceparent?: string | undefined;
}

/**
 * An operation that was parsed, held against the limits, validated and planned. It belongs to the supergraph that
 * prepared it, and stays usable (against the same subgraphs) after a newer supergraph was loaded.
 */
export interface PreparedOperation {
  readonly source: string;
  readonly name: string | undefined;
  readonly kind: 'query' | 'mutation' | 'subscription';
  /** Whether it asks for `__schema` or `__type`. */
  readonly introspects: boolean;
  /** The one operation and the fragments it uses. */
  readonly document: DocumentNode;
  readonly definition: OperationDefinitionNode;
  readonly plan: QueryPlan;
  /** Set when one subgraph's answer is the client's answer, without any post-processing. */
  readonly passThrough: PassThrough | undefined;
}

/** The one fetch that answers the whole operation. */
export interface PassThrough {
  readonly serviceName: string;
  readonly query: string;
  readonly operationName: string | undefined;
}

/** Exactly one of the two is set. */
export type Preparation =
  | { readonly operation: PreparedOperation; readonly errors?: undefined }
  | {
      readonly operation?: undefined;
      /** Ready for a client; codes BAD_REQUEST, GRAPHQL_VALIDATION_FAILED or OPERATION_TOO_COMPLEX. */
      readonly errors: readonly GraphQLFormattedError[];
    };
