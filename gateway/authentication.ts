import type { IncomingHttpHeaders } from 'node:http';
import type { Caller } from '#platform/caller.ts';

/** A caller whose token was checked, for as long as the token lives. */
export interface AuthenticatedCaller {
  readonly caller: Caller;
  /** When the token ends; streams end then too. */
  readonly expiresAt: Date;
  readonly jti: string;
}

/**
 * @param headers of the HTTP request; `authorization` and `x-on-behalf-of` are read
 * @throws AppError UNAUTHENTICATED, BAD_REQUEST for a malformed `x-on-behalf-of`, NOT_FOUND or FORBIDDEN for one that
 * the caller may not use
 */
export type Authenticate = (headers: IncomingHttpHeaders) => Promise<AuthenticatedCaller>;
