import type { IncomingHttpHeaders } from 'node:http';
import { LRUCache } from 'lru-cache';
import { isId, narrowCaller, type Caller } from '#platform/caller.ts';
import { AppError } from '#platform/errors.ts';
import { isInternalToken } from '#platform/internal-token.ts';
import type { VerifiedToken } from '#platform/tokens.ts';

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

export interface AuthenticatorOptions {
  /** Checks a client's token; throws AppError UNAUTHENTICATED. Called once for a token while it lasts. */
  readonly verifyToken: (token: string) => Promise<VerifiedToken>;
  /** Checks the token that a part of this system signed for a Caller. */
  readonly verifyInternal: (token: string) => Caller | Promise<Caller>;
  /** Asked on every request. */
  readonly isRevoked: (jti: string) => boolean;
  /** Milliseconds since 1970. Default: the clock. */
  readonly now?: () => number;
}

const tokensMax = 10_000;
const refusalsMax = 1_000;
// A wrong token stays wrong; one that is not valid yet, or whose issuer has a new key, gets another chance soon.
const refusalKeptMs = 5_000;
// A token with thousands of memberships fits; more would only cost time.
const tokenLengthMax = 16_384;
const howToGetOne = 'get one with `npm run --silent token -- --microdao … --role …`';
// A part that holds an internal token, which lives for a minute only, is trusted for as long as its stream takes.
const never = new Date(8.64e15);

interface KnownToken extends VerifiedToken {
  /** By the text of `x-on-behalf-of`, so that one narrowed Caller stays one object, and keeps its signed token. */
  readonly narrowed: LRUCache<string, AuthenticatedCaller>;
  readonly whole: AuthenticatedCaller;
}

/**
 * Bearer tokens to callers. A verified token is kept until it expires, and a refused one for a moment, so that neither
 * costs a verification per request; whether it was revoked is asked each time.
 */
export function createAuthenticator({
  verifyToken,
  verifyInternal,
  isRevoked,
  now = Date.now,
}: AuthenticatorOptions): Authenticate {
  const known = new LRUCache<string, KnownToken>({ max: tokensMax });
  const refused = new LRUCache<string, AppError>({ max: refusalsMax, ttl: refusalKeptMs });
  const underWay = new Map<string, Promise<KnownToken>>();

  const verify = async (token: string): Promise<KnownToken> => {
    try {
      const verified = isInternalToken(token)
        ? { caller: await verifyInternal(token), jti: 'internal', expiresAt: never }
        : await verifyToken(token);
      const entry = { ...verified, whole: verified, narrowed: new LRUCache<string, AuthenticatedCaller>({ max: 100 }) };
      known.set(token, entry, { ttl: lifeLeftMs(token, now()) });
      return entry;
    } catch (error) {
      if (error instanceof AppError && error.code === 'UNAUTHENTICATED') refused.set(token, error);
      throw error;
    }
  };

  /** Joins callers that come with the same new token at once. */
  const verifyOnce = (token: string): Promise<KnownToken> => {
    const joined = underWay.get(token);
    if (joined !== undefined) return joined;
    const verification = verify(token).finally(() => underWay.delete(token));
    underWay.set(token, verification);
    return verification;
  };

  return async (headers) => {
    const token = readBearer(headers.authorization);
    let entry = known.get(token);
    if (entry === undefined) {
      const refusal = refused.get(token);
      if (refusal !== undefined) throw refusal;
      entry = await verifyOnce(token);
    }
    if (entry.expiresAt.getTime() <= now()) {
      known.delete(token);
      throw new AppError('UNAUTHENTICATED', `The token expired at ${entry.expiresAt.toISOString()}; ${howToGetOne}.`);
    }
    if (isRevoked(entry.jti)) throw new AppError('UNAUTHENTICATED', `The token was revoked; ${howToGetOne}.`);

    const onBehalfOf = headers['x-on-behalf-of'];
    if (onBehalfOf === undefined) return entry.whole;
    const text = String(onBehalfOf);
    let narrowed = entry.narrowed.get(text);
    if (narrowed === undefined) {
      narrowed = { ...entry.whole, caller: narrow(entry.caller, text) };
      entry.narrowed.set(text, narrowed);
    }
    return narrowed;
  };
}

/** Of a token whose signature was checked. An entry goes at its end, so that dead tokens do not push out live ones. */
function lifeLeftMs(token: string, nowMs: number): number {
  const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { exp?: number };
  return Math.max(1, (exp ?? 0) * 1000 - nowMs);
}

function readBearer(authorization: string | undefined): string {
  if (authorization === undefined || authorization === '') {
    throw new AppError('UNAUTHENTICATED', `There is no token: send it as \`Authorization: Bearer …\`; ${howToGetOne}.`);
  }
  const [, token] = /^Bearer +(\S+) *$/i.exec(authorization.slice(0, tokenLengthMax + 16)) ?? [];
  if (token === undefined || token.length > tokenLengthMax) {
    throw new AppError('UNAUTHENTICATED', `The Authorization header is not \`Bearer\` and a token; ${howToGetOne}.`);
  }
  return token;
}

/** `microdao:x/agent:y`, or a microDAO alone. */
function narrow(caller: Caller, onBehalfOf: string): Caller {
  const [microdaoId = '', agentId, ...more] = onBehalfOf.split('/');
  if (!isId(microdaoId, 'microdao') || (agentId !== undefined && !isId(agentId, 'agent')) || more.length > 0) {
    throw new AppError(
      'BAD_REQUEST',
      'The header x-on-behalf-of must be `microdao:name/agent:name`, or `microdao:name` alone.',
    );
  }
  return narrowCaller(caller, microdaoId, agentId, caller.actor ?? caller.subject);
}
