import { describe, expect, test } from 'vitest';
import type { Caller } from '#platform/caller.ts';
import type { AppError } from '#platform/errors.ts';
import { createInternalTokenSigner, createInternalTokenVerifier } from '#platform/internal-token.ts';
import { createTokenVerifier, issueToken, type TokenClaims } from '#platform/tokens.ts';
import { createAuthenticator } from './authentication.ts';

const secret = 'a secret for the authentication test, long enough';
const internalSecret = 'an internal secret for that test, long enough too';

function setUp() {
  const revoked = new Set<string>();
  let clock: number | undefined;
  let verifications = 0;
  const verify = createTokenVerifier({ secret });
  const authenticate = createAuthenticator({
    verifyToken: (token) => {
      verifications += 1;
      return verify(token);
    },
    verifyInternal: createInternalTokenVerifier(internalSecret, 'supergraph'),
    isRevoked: (jti) => revoked.has(jti),
    now: () => clock ?? Date.now(),
  });
  const issue = (claims: Partial<TokenClaims> = {}, by = secret) =>
    issueToken(
      { secret: by },
      {
        subject: 'service:runtime',
        memberships: [{ microdaoId: 'microdao:a', role: 'service' }],
        timeToLiveMs: 60_000,
        ...claims,
      },
    );
  return {
    revoked,
    authenticate,
    issue,
    setClock: (nowMs: number) => (clock = nowMs),
    verifications: () => verifications,
  };
}

const bearer = (token: string, onBehalfOf?: string) => ({
  authorization: `Bearer ${token}`,
  ...(onBehalfOf === undefined ? {} : { 'x-on-behalf-of': onBehalfOf }),
});
const refusal = async (promise: Promise<unknown>): Promise<AppError> =>
  promise.then(
    () => Promise.reject(new Error('It was accepted.')),
    (error: AppError) => error,
  );

describe('authentication', () => {
  test('a good token gives its caller, and is verified once, also when it comes many times at once', async () => {
    const { authenticate, issue, verifications } = setUp();
    const { token, jti, expiresAt } = await issue();
    const all = await Promise.all(Array.from({ length: 50 }, () => authenticate(bearer(token))));
    expect(all[0]).toEqual({
      jti,
      expiresAt,
      caller: {
        subject: 'service:runtime',
        admin: false,
        memberships: [{ microdaoId: 'microdao:a', role: 'service' }],
      },
    });
    // The same object: what is kept per caller, such as its internal token, is found again.
    expect((await authenticate({ authorization: `bearer  ${token}` })).caller).toBe(all[0]?.caller);
    expect(verifications()).toBe(1);
  });

  test.each([
    ['no header', {}, /no token.*npm run --silent token/],
    ['another scheme', { authorization: 'Basic dXNlcjpwYXNz' }, /not `Bearer`/],
    ['no token after Bearer', { authorization: 'Bearer ' }, /not `Bearer`/],
    ['no JWT', bearer('hello'), /not a well-formed JWT/],
    ['a token of 20 kB', bearer('x'.repeat(20_000)), /not `Bearer`/],
    [
      'an unsigned token',
      bearer(
        `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"x"}').toString('base64url')}.`,
      ),
      /none are not accepted/,
    ],
  ])('%s is told apart', async (_name, headers, message) => {
    const error = await refusal(setUp().authenticate(headers));
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', message: expect.stringMatching(message) });
  });

  test('a token of someone else, an expired and a revoked one are told apart', async () => {
    const { authenticate, issue, revoked, setClock, verifications } = setUp();
    const { token: foreign } = await issue({}, 'another secret, which is long enough as well');
    expect((await refusal(authenticate(bearer(foreign)))).message).toContain('signed by someone else');
    expect((await refusal(authenticate(bearer(foreign)))).message).toContain('signed by someone else');
    expect(verifications()).toBe(1);

    const { token, jti, expiresAt } = await issue();
    await authenticate(bearer(token));
    revoked.add(jti);
    expect((await refusal(authenticate(bearer(token)))).message).toContain('revoked');
    revoked.clear();
    setClock(expiresAt.getTime());
    expect((await refusal(authenticate(bearer(token)))).message).toContain(`expired at ${expiresAt.toISOString()}`);
  });

  test('x-on-behalf-of narrows the caller to one microDAO and agent, and keeps that narrowed caller', async () => {
    const { authenticate, issue } = setUp();
    const { token } = await issue();
    const { caller } = await authenticate(bearer(token, 'microdao:a/agent:sofia'));
    expect(caller).toEqual({
      subject: 'service:runtime',
      admin: false,
      memberships: [{ microdaoId: 'microdao:a', role: 'agent' }],
      agentId: 'agent:sofia',
      actor: 'service:runtime',
    });
    expect((await authenticate(bearer(token, 'microdao:a/agent:sofia'))).caller).toBe(caller);
    expect((await authenticate(bearer(token))).caller).not.toHaveProperty('actor');
  });

  test.each([
    ['microdao:b/agent:sofia', 'NOT_FOUND'],
    ['microdao:a/user:sofia', 'BAD_REQUEST'],
    ['agent:sofia', 'BAD_REQUEST'],
    ['microdao:a/agent:x/agent:y', 'BAD_REQUEST'],
    ['', 'BAD_REQUEST'],
  ])('x-on-behalf-of: %s is %s', async (onBehalfOf, code) => {
    const { authenticate, issue } = setUp();
    const { token } = await issue();
    expect(await refusal(authenticate(bearer(token, onBehalfOf)))).toMatchObject({ code });
  });

  test('an agent may not speak for another', async () => {
    const { authenticate, issue } = setUp();
    const { token } = await issue({
      subject: 'agent:sofia',
      agentId: 'agent:sofia',
      memberships: [{ microdaoId: 'microdao:a', role: 'agent' }],
    });
    expect(await refusal(authenticate(bearer(token, 'microdao:a/agent:other')))).toMatchObject({ code: 'FORBIDDEN' });
  });

  test('a part of the system comes with the caller it serves', async () => {
    const { authenticate } = setUp();
    const served: Caller = {
      subject: 'user:ann',
      admin: false,
      memberships: [{ microdaoId: 'microdao:a', role: 'service' }],
      actor: 'service:memory',
    };
    const token = await createInternalTokenSigner(internalSecret, 'supergraph')(served);
    const { caller, expiresAt } = await authenticate(bearer(token));
    expect(caller).toEqual(served);
    expect(expiresAt.getTime()).toBeGreaterThan(Date.now() + 86_400_000);
    expect((await authenticate(bearer(token, 'microdao:a'))).caller.actor).toBe('service:memory');
    const forSubgraphs = await createInternalTokenSigner(internalSecret, 'subgraph')(served);
    expect(await refusal(authenticate(bearer(forSubgraphs)))).toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});
