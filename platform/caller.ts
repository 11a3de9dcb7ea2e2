import { AppError } from './errors.ts';

/** Roles hold in one microDAO only; what each may do is in docs/architecture.md, "Identity". */
export const roles = ['operator', 'service', 'agent', 'member'] as const;
export type Role = (typeof roles)[number];

export interface Membership {
  readonly microdaoId: string;
  readonly role: Role;
}

/** Who asks. Made once from a verified token and then passed along unchanged, or narrowed, never widened. */
export interface Caller {
  /** `user:…`, `agent:…` or `service:…`. */
  readonly subject: string;
  /** Stands above tenants. */
  readonly admin: boolean;
  readonly memberships: readonly Membership[];
  /** The one agent this caller is or acts as; required for the role `agent`. */
  readonly agentId?: string;
  /** The part that acts on behalf of the subject (RFC 8693's `act`). */
  readonly actor?: string;
}

export type IdKind = 'microdao' | 'agent' | 'user' | 'team' | 'channel' | 'service';

const idPattern = /^(microdao|agent|user|team|channel|service):[A-Za-z0-9._~-]{1,128}$/;

/** True for `kind:name` ids as DESIGN §3 spells them. */
export function isId(value: string, kind?: IdKind): boolean {
  return idPattern.test(value) && (kind === undefined || value.startsWith(`${kind}:`));
}

/** The role of a caller in a microDAO, or undefined for a stranger. An admin who is no member has none: ask `admin`. */
export function roleIn(caller: Caller, microdaoId: string): Role | undefined {
  return caller.memberships.find((membership) => membership.microdaoId === microdaoId)?.role;
}

/**
 * Narrows a caller to one microDAO and, where given, one agent. The result never may more than the caller:
 * with an agent it is that agent, without one an operator or admin becomes a `service`.
 *
 * @param actor the part that does the work, such as `service:memory`
 * @throws AppError NOT_FOUND for a microDAO the caller does not belong to, FORBIDDEN for another agent's identity
 */
export function narrowCaller(caller: Caller, microdaoId: string, agentId: string | undefined, actor: string): Caller {
  const role = roleIn(caller, microdaoId);
  if (role === undefined && !caller.admin) throw new AppError('NOT_FOUND', `There is no microDAO ${microdaoId}.`);
  const ownAgent = role === 'agent' && !caller.admin ? caller.agentId : undefined;
  if (role === 'agent' && !caller.admin && agentId !== undefined && agentId !== ownAgent) {
    throw new AppError('FORBIDDEN', `${caller.subject} may act as ${ownAgent ?? 'no agent'} only, not as ${agentId}.`);
  }
  if (role === 'member' && !caller.admin && agentId !== undefined) {
    throw new AppError('FORBIDDEN', `A member may not act as ${agentId}; that needs the role service or agent.`);
  }
  const actsAs = agentId ?? ownAgent;
  const narrowed: Role = actsAs !== undefined ? 'agent' : role === 'member' && !caller.admin ? 'member' : 'service';
  return {
    subject: caller.subject,
    admin: false,
    memberships: [{ microdaoId, role: narrowed }],
    ...(actsAs === undefined ? {} : { agentId: actsAs }),
    actor,
  };
}
