import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AppError, ErrorCode } from '#platform/errors.ts';
import type { InputReading } from './input-path.ts';

/** A JSON Schema (2020-12), as OpenAPI 3.1 uses it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * Routes under one prefix that report errors alike. The table is made of these; a new domain adds a group.
 */
export interface RestGroup {
  /** `/internal/llm`; no two groups have the same. */
  readonly prefix: string;
  /** Heading in the documentation. */
  readonly tag: string;
  readonly description: string;
  /** The shape of error bodies: the project's own, or OpenAI's. */
  readonly errors: 'rest' | 'openai';
  readonly routes: readonly RestRoute[];
}

/**
 * One row of the REST table. It says how a request becomes a GraphQL operation and how the result becomes an answer;
 * what the operation does is decided in the subgraphs alone.
 */
export interface RestRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the group's prefix. `{id}` is one path segment; `{id+}`, at the end, takes slashes too (`openai/gpt-4o`). */
  readonly path: string;
  /** Unique; OpenAPI's operationId and the name in logs. */
  readonly name: string;
  readonly summary: string;
  readonly description?: string;
  readonly request: RequestMapping;
  /** A query or mutation with exactly one root field. */
  readonly operation: string;
  readonly response: MappedResponse | WireResponse;
  readonly stream?: StreamMapping;
  /** Codes this route is known to answer beside those every route may. */
  readonly errorCodes?: readonly ErrorCode[];
}

/**
 * Where the operation's variables come from. A target is a variable or a field of one: `period`, `filter.agentId`.
 * Types, and with them validation, come from the operation and the schema.
 */
export interface RequestMapping {
  readonly body?: BodyMapping;
  /** Query parameter → target. */
  readonly query?: Readonly<Record<string, string>>;
  /** Path parameter → target. */
  readonly path?: Readonly<Record<string, string>>;
  /** Lower-case header → target. A header that contradicts the body is refused. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface BodyMapping {
  /** The variable that the JSON body becomes. */
  readonly variable: string;
  /** Fields that steer the route and never reach the operation, by GraphQL type (`stream: 'Boolean'`). */
  readonly steering?: Readonly<Record<string, string>>;
  /** Brings another wire format into REST's spelling of the variable's type. */
  readonly translate?: TranslateBody;
  /** Of a wire format other than ours; made from the GraphQL type when left out. */
  readonly schema?: JsonSchema;
  readonly example?: unknown;
}

/**
 * @param body the client's JSON object; not to be changed
 * @returns the body in REST's spelling, the steering fields included
 */
export type TranslateBody = (body: Readonly<Record<string, unknown>>, reading: InputReading) => TranslatedBody;

export interface TranslatedBody {
  readonly body: Readonly<Record<string, unknown>>;
  /** The client's names for fields that were renamed: `reasoning.effort` → `reasoning_effort`. */
  readonly clientPaths?: Readonly<Record<string, string>>;
}

/** The root field's value, names and enums mapped. */
export interface MappedResponse {
  /** Default 200. */
  readonly status?: number;
  /** The root field is a Relay connection: the body is `{ [list]: nodes, next_cursor? }`. */
  readonly list?: string;
  /** A list that REST clients expect whole: where the client names neither `first` nor `after`, all pages are read. */
  readonly wholeList?: boolean;
  /** Paths of fields that are absent rather than null: `message.tool_calls`. */
  readonly leftOutWhenNull?: readonly string[];
  /** The answer when the root field is null. */
  readonly whenNull?: (request: FastifyRequest) => AppError;
}

/** Another wire format, made from GraphQL's own result. */
export interface WireResponse {
  readonly status?: number;
  readonly wholeList?: boolean;
  readonly whenNull?: (request: FastifyRequest) => AppError;
  /**
   * @param value of the root field, as the operation selects it
   * @param body the client's, as sent
   */
  readonly render: (value: never, body: unknown, reply: FastifyReply) => unknown;
  readonly schema: JsonSchema;
}

/** The answer as server-sent events, when the steering field `stream` is true. */
export interface StreamMapping {
  /** A subscription that takes the same variables. */
  readonly operation: string;
  readonly format: StreamFormat;
  readonly leftOutWhenNull?: readonly string[];
}

/** How the events of a stream are written. */
export interface StreamFormat {
  /** Documentation of one `data:` line, where it is not the mapped event. */
  readonly schema?: JsonSchema;
  /**
   * One writer a stream.
   *
   * @param mapEvent the compiled mapper of the subscription's events
   */
  createWriter(context: StreamContext): StreamWriter;
}

export interface StreamContext {
  readonly requestId: string;
  /** The client's body, as sent. */
  readonly body: unknown;
  readonly mapEvent: (event: unknown) => unknown;
}

export interface StreamWriter {
  /** Text for one event of the subscription; empty when the format has nothing to say of it. */
  event(event: StreamEvent): string;
  /** Text for a failure outside the events: the stream ends after it. */
  failure(error: AppError): string;
}

/** What the streaming code itself reads of an event; the rest belongs to the format. */
export interface StreamEvent {
  readonly type: string;
  readonly error?: { readonly code: string; readonly message: string; readonly retryAfterMs?: number | null };
}
