import { randomUUID } from 'node:crypto';
import { createRemoteJWKSet, decodeProtectedHeader, errors, jwtVerify, SignJWT, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { isId, roles, type Caller, type Membership } from './caller.ts';
import { AppError } from './errors.ts';

export interface VerifiedToken {
  readonly caller: Caller;
  readonly jti: string;
  readonly expiresAt: Date;
}

export interface TokenSettings {
  /** Verifies and issues HS256 tokens. */
  readonly secret?: string | undefined;
  /** Verifies tokens of another issuer, RS256, ES256 and the like. */
  readonly jwksUrl?: string | undefined;
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
}

export interface TokenClaims {
  readonly subject: string;
  readonly admin?: boolean;
  readonly memberships: readonly Membership[];
  readonly agentId?: string | undefined;
  /** Life in milliseconds. */
  readonly timeToLiveMs: number;
}

const asymmetric = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const howToGetOne = 'get one with `npm run --silent token -- --microdao … --role …`';

const claims = z.object({
  sub: z.string().min(1).max(256),
  jti: z.string().min(1).max(256),
  exp: z.number(),
  admin: z.boolean().optional(),
  memberships: z
    .array(
      z.object({
        microdao_id: z.string().refine((id) => isId(id, 'microdao'), 'must be an id such as microdao:daarion'),
        role: z.enum(roles),
      }),
    )
    .max(1000)
    .default([]),
  agent_id: z
    .string()
    .refine((id) => isId(id, 'agent'), 'must be an id such as agent:sofia')
    .optional(),
});

/** Signs a token of ours (DESIGN §3). */
export async function issueToken(
  settings: TokenSettings & { readonly secret: string },
  token: TokenClaims,
): Promise<{ token: string; jti: string; expiresAt: Date }> {
  const jti = randomUUID();
  const expiresAt = new Date(Math.floor((Date.now() + token.timeToLiveMs) / 1000) * 1000);
  const jwt = new SignJWT({
    ...(token.admin === true ? { admin: true } : {}),
    memberships: token.memberships.map(({ microdaoId, role }) => ({ microdao_id: microdaoId, role })),
    ...(token.agentId === undefined ? {} : { agent_id: token.agentId }),
  })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(token.subject)
    .setJti(jti)
    .setIssuedAt()
    .setExpirationTime(expiresAt);
  if (settings.issuer !== undefined) jwt.setIssuer(settings.issuer);
  if (settings.audience !== undefined) jwt.setAudience(settings.audience);
  return { token: await jwt.sign(new TextEncoder().encode(settings.secret)), jti, expiresAt };
}

/**
 * Verifies client tokens: HS256 by the secret, everything else by the issuer's JWKS. Costs 100–300 µs, so the
 * gateway keeps what it verified until it expires.
 *
 * @throws AppError UNAUTHENTICATED with what is wrong, AUTHENTICATION_UNAVAILABLE when the JWKS cannot be fetched
 */
export function createTokenVerifier(settings: TokenSettings): (token: string) => Promise<VerifiedToken> {
  const key = settings.secret === undefined ? undefined : new TextEncoder().encode(settings.secret);
  const jwks: JWTVerifyGetKey | undefined =
    settings.jwksUrl === undefined
      ? undefined
      : createRemoteJWKSet(new URL(settings.jwksUrl), { timeoutDuration: 5_000 });
  const expected = {
    ...(settings.issuer === undefined ? {} : { issuer: settings.issuer }),
    ...(settings.audience === undefined ? {} : { audience: settings.audience }),
  };
  return async (token) => {
    const { payload } = await verifySignature(token, key, jwks, expected).catch((error: unknown) => {
      throw translate(error);
    });
    const parsed = claims.safeParse(payload);
    if (!parsed.success) {
      const reasons = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ');
      throw new AppError('UNAUTHENTICATED', `The token's claims are not right: ${reasons}.`);
    }
    const { sub, jti, exp, admin = false, memberships, agent_id: agentId } = parsed.data;
    if (agentId === undefined && memberships.some(({ role }) => role === 'agent')) {
      throw new AppError('UNAUTHENTICATED', 'The token has the role agent but no agent_id claim.');
    }
    const caller: Caller = {
      subject: sub,
      admin,
      memberships: memberships.map(({ microdao_id, role }) => ({ microdaoId: microdao_id, role })),
      ...(agentId === undefined ? {} : { agentId }),
    };
    return { caller, jti, expiresAt: new Date(exp * 1000) };
  };
}

async function verifySignature(
  token: string,
  key: Uint8Array | undefined,
  jwks: JWTVerifyGetKey | undefined,
  expected: object,
) {
  const alg = algorithmOf(token);
  if (alg === 'HS256' && key !== undefined) return jwtVerify(token, key, { ...expected, algorithms: ['HS256'] });
  if (alg !== 'HS256' && jwks !== undefined) return jwtVerify(token, jwks, { ...expected, algorithms: asymmetric });
  throw new AppError(
    'UNAUTHENTICATED',
    `Tokens signed with ${String(alg).slice(0, 20)} are not accepted here; ${howToGetOne}.`,
  );
}

function algorithmOf(token: string): unknown {
  try {
    return decodeProtectedHeader(token).alg;
  } catch (error) {
    throw malformed(error);
  }
}

const malformed = (cause: unknown) =>
  new AppError('UNAUTHENTICATED', `The token is not a well-formed JWT; ${howToGetOne}.`, { cause });

function translate(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof errors.JWTExpired) {
    const at = typeof error.payload.exp === 'number' ? ` at ${new Date(error.payload.exp * 1000).toISOString()}` : '';
    return new AppError('UNAUTHENTICATED', `The token expired${at}; ${howToGetOne}.`);
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    return new AppError('UNAUTHENTICATED', `The token's claim "${error.claim}" is not the one expected here.`);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JWKSNoMatchingKey) {
    return new AppError('UNAUTHENTICATED', `The token was signed by someone else; ${howToGetOne}.`);
  }
  if (
    error instanceof errors.JWKSTimeout ||
    error instanceof errors.JWKSInvalid ||
    !(error instanceof errors.JOSEError)
  ) {
    return new AppError('AUTHENTICATION_UNAVAILABLE', "The token issuer's keys (AUTH_JWKS_URL) cannot be fetched.", {
      cause: error,
    });
  }
  return malformed(error);
}
