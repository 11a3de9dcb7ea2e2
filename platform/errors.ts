/**
 * The one catalogue of error codes. A code is a promise to clients: it never changes its meaning.
 * docs/errors.md lists the same codes in the same order; `errors.test.ts` keeps the two equal.
 */
export interface ErrorKind {
  /** HTTP status at the REST edge. */
  readonly status: number;
  /** Whether the very same request may succeed later. */
  readonly retryable: boolean;
  /** One sentence for docs/errors.md and OpenAPI. */
  readonly meaning: string;
}

const kind = (status: number, retryable: boolean, meaning: string): ErrorKind => ({ status, retryable, meaning });

export const errorCatalogue = {
  BAD_REQUEST: kind(400, false, 'The request could not be read: malformed JSON, GraphQL syntax, or headers.'),
  GRAPHQL_VALIDATION_FAILED: kind(400, false, 'The GraphQL operation does not fit the schema.'),
  OPERATION_TOO_COMPLEX: kind(
    400,
    false,
    'The GraphQL operation exceeds a limit of depth, aliases, root fields or cost.',
  ),
  UNAUTHENTICATED: kind(401, false, 'No token, or one that is malformed, expired, revoked, or signed by someone else.'),
  BUDGET_EXCEEDED: kind(402, false, 'A hard budget has no money left for this request.'),
  FORBIDDEN: kind(403, false, "The caller's role does not allow this."),
  NOT_FOUND: kind(
    404,
    false,
    'There is no such thing for this caller; what belongs to another microDAO is not found either.',
  ),
  MODEL_NOT_FOUND: kind(404, false, 'No model has this id, alias or provider/model name; the message names near ones.'),
  METHOD_NOT_ALLOWED: kind(405, false, 'The route exists, but not with this HTTP method.'),
  CONFLICT: kind(409, false, 'The request contradicts the current state, such as a revision that has moved on.'),
  IDEMPOTENCY_CONFLICT: kind(409, false, 'The idempotency key was used before with another request body.'),
  PAYLOAD_TOO_LARGE: kind(413, false, 'The request body is larger than the server accepts.'),
  UNSUPPORTED_MEDIA_TYPE: kind(415, false, 'The request body is not JSON.'),
  INVALID_INPUT: kind(422, false, 'A field has a wrong type, format or value; `details` lists each path and reason.'),
  UNSUPPORTED_BY_MODEL: kind(422, false, 'The chosen model or provider cannot do what the request asks for.'),
  CONTEXT_LENGTH_EXCEEDED: kind(422, false, "The messages do not fit into the model's context window."),
  CONTENT_FILTERED: kind(422, false, "The provider's content filter refused the request."),
  PROVIDER_REJECTED: kind(422, false, 'The provider refused the request as invalid; its reason is in the message.'),
  RATE_LIMITED: kind(429, true, 'A rate limit is used up; `retryAfterMs` tells when to try again.'),
  CLIENT_CLOSED_REQUEST: kind(499, true, 'The client left before the answer was complete.'),
  INTERNAL_ERROR: kind(500, false, 'Something broke inside; the request id finds it in the logs.'),
  PROVIDER_AUTHENTICATION_FAILED: kind(
    502,
    false,
    "The provider refused the server's key; the message names the setting to check.",
  ),
  PROVIDER_BAD_RESPONSE: kind(502, true, 'The provider answered with something that is not its protocol.'),
  STREAM_INTERRUPTED: kind(502, true, 'The provider cut the stream before its end; what was delivered is billed.'),
  SUBGRAPH_BAD_RESPONSE: kind(502, true, 'A part of the graph answered with something that is not GraphQL.'),
  PROVIDER_UNAVAILABLE: kind(503, true, 'The provider cannot be reached or is overloaded.'),
  PROVIDER_RATE_LIMITED: kind(503, true, "The provider's own rate limit or quota is used up."),
  PROVIDER_NOT_CONFIGURED: kind(
    503,
    false,
    'No provider is configured that serves this model; the message names the setting.',
  ),
  AUTHENTICATION_UNAVAILABLE: kind(
    503,
    true,
    "The token issuer's keys cannot be fetched, so no new token can be verified.",
  ),
  SUBGRAPH_UNAVAILABLE: kind(503, true, 'A part of the graph cannot be reached.'),
  DATABASE_UNAVAILABLE: kind(503, true, 'The database does not answer.'),
  SHUTTING_DOWN: kind(503, true, 'This process is stopping; another one will answer.'),
  PROVIDER_TIMEOUT: kind(504, true, 'The provider did not answer within its deadline.'),
  DEADLINE_EXCEEDED: kind(504, true, 'The request was not done within its deadline.'),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorCatalogue;

export const isErrorCode = (value: unknown): value is ErrorCode =>
  typeof value === 'string' && Object.hasOwn(errorCatalogue, value);

/** One problem of one field: `path` in the client's own spelling, such as `messages[0].role`. */
export interface InputProblem {
  readonly path: string;
  readonly reason: string;
}

export interface AppErrorOptions {
  /** How long to wait before another try, in milliseconds. */
  readonly retryAfterMs?: number;
  readonly details?: readonly InputProblem[];
  /** The foreign error, for the logs; never shown to a client. */
  readonly cause?: unknown;
}

/**
 * An expected failure, worded for the caller: what was wrong, where, and what would be right.
 * Its message goes to the client as it is, so it holds no secret and no inner detail.
 * Whatever else is thrown counts as a defect: it is logged whole and shown as INTERNAL_ERROR.
 */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;
  readonly details: readonly InputProblem[] | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
    this.details = options.details;
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }

  get retryable(): boolean {
    return errorCatalogue[this.code].retryable;
  }

  /** The `extensions` of a GraphQL error; also what crosses from a subgraph to the gateway. */
  toExtensions(): ErrorExtensions {
    return {
      code: this.code,
      retryable: this.retryable,
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }
}

export interface ErrorExtensions {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
  readonly details?: readonly InputProblem[];
}

/** INVALID_INPUT with every problem at once; the message repeats the first ones for people who only read that. */
export function invalidInput(problems: readonly InputProblem[]): AppError {
  const shown = problems.slice(0, 3).map(({ path, reason }) => (path === '' ? reason : `${path}: ${reason}`));
  const more = problems.length > shown.length ? ` (and ${problems.length - shown.length} more)` : '';
  return new AppError('INVALID_INPUT', `Invalid input: ${shown.join('; ')}${more}`, { details: problems });
}
