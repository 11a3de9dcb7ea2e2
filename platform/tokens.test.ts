import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from './caller.ts';
import { createInternalTokenSigner, createInternalTokenVerifier } from './internal-token.ts';
import { createTokenVerifier, issueToken } from './tokens.ts';

const secret = 'a secret of enough characters for a test';
const sofia = {
  subject: 'agent:sofia',
  memberships: [{ microdaoId: 'microdao:home', role: 'agent' as const }],
  agentId: 'agent:sofia',
  timeToLiveMs: 60_000,
};

describe('a token of ours', () => {
  const verify = createTokenVerifier({ secret });

  it('names the caller it was issued for', async () => {
    const { token, jti } = await issueToken({ secret }, sofia);
    const verified = await verify(token);
    expect(verified.jti).toBe(jti);
    expect(verified.caller).toEqual({
      subject: 'agent:sofia',
      admin: false,
      memberships: sofia.memberships,
      agentId: 'agent:sofia',
    });
  });

  it('is refused when it has expired, and says when', async () => {
    const { token } = await issueToken({ secret }, { ...sofia, timeToLiveMs: -5_000 });
    await expect(verify(token)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringContaining('expired at 20'),
    });
  });

  it('is refused when someone else signed it', async () => {
    const { token } = await issueToken({ secret: 'another secret of enough characters' }, sofia);
    await expect(verify(token)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringContaining('someone else'),
    });
  });

  it.each(['', 'x', 'a.b.c', '..', 'eyJhbGciOiJub25lIn0.e30.', '🙂.🙂.🙂'])(
    'is refused when it is %j',
    async (token) => {
      await expect(verify(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    },
  );

  it('is refused with claims that make no sense', async () => {
    const sign = (claims: Record<string, unknown>) =>
      new SignJWT({ sub: 'user:x', jti: 'j', ...claims })
        .setProtectedHeader({ alg: 'HS256' })
        .setExpirationTime('1m')
        .sign(new TextEncoder().encode(secret));
    const bad = [
      { memberships: [{ microdao_id: 'home', role: 'operator' }] },
      { memberships: [{ microdao_id: 'microdao:home', role: 'emperor' }] },
      { memberships: [{ microdao_id: 'microdao:home', role: 'agent' }] },
      { admin: 'yes' },
      { agent_id: 'sofia' },
    ];
    for (const claims of bad)
      await expect(verify(await sign(claims))).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});

describe('a token of another issuer', () => {
  const server = createServer();
  let keys: Awaited<ReturnType<typeof generateKeyPair>>;
  let jwksUrl: string;
  beforeAll(async () => {
    keys = await generateKeyPair('ES256');
    const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'one', alg: 'ES256' };
    server.on('request', (_request, response) => response.end(JSON.stringify({ keys: [jwk] })));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  });
  afterAll(() => server.close());

  const sign = (issuer: string, audience: string) =>
    new SignJWT({ sub: 'user:alice', jti: 'one', memberships: [{ microdao_id: 'microdao:home', role: 'member' }] })
      .setProtectedHeader({ alg: 'ES256', kid: 'one' })
      .setIssuer(issuer)
      .setAudience(audience)
      .setExpirationTime('1m')
      .sign(keys.privateKey);

  it('is taken when issuer and audience are the ones expected', async () => {
    const verify = createTokenVerifier({ jwksUrl, issuer: 'https://issuer', audience: 'supergraph' });
    expect((await verify(await sign('https://issuer', 'supergraph'))).caller.subject).toBe('user:alice');
    await expect(verify(await sign('https://other', 'supergraph'))).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(verify(await sign('https://issuer', 'other'))).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('cannot be judged while the keys cannot be fetched', async () => {
    const verify = createTokenVerifier({ jwksUrl: 'http://127.0.0.1:1/jwks' });
    await expect(verify(await sign('i', 'a'))).rejects.toMatchObject({ code: 'AUTHENTICATION_UNAVAILABLE' });
  });

  it('is refused when it claims HS256 and is signed with the public key', async () => {
    const verify = createTokenVerifier({ jwksUrl });
    const forged = await issueToken({ secret: 'the public key as a shared secret' }, sofia);
    await expect(verify(forged.token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});

describe('an internal token', () => {
  const caller: Caller = {
    subject: 'user:x',
    admin: false,
    memberships: [{ microdaoId: 'microdao:a', role: 'service' }],
    actor: 'service:memory',
  };

  it('carries the caller whole', async () => {
    const token = await createInternalTokenSigner(secret, 'subgraph')(caller);
    expect(await createInternalTokenVerifier(secret, 'subgraph')(token)).toEqual(caller);
  });

  it('is reused for the same caller', async () => {
    const sign = createInternalTokenSigner(secret, 'subgraph');
    expect(await sign(caller)).toBe(await sign(caller));
  });

  it('is good for one audience only', async () => {
    const token = await createInternalTokenSigner(secret, 'subgraph')(caller);
    await expect(createInternalTokenVerifier(secret, 'supergraph')(token)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });
});
