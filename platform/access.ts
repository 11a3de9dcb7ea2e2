import {
  defaultFieldResolver,
  getDirectiveValues,
  isObjectType,
  type GraphQLField,
  type GraphQLFieldResolver,
  type GraphQLSchema,
} from 'graphql';
import { isId, roleIn, roles, type Caller, type Role } from './caller.ts';
import { AppError, invalidInput } from './errors.ts';

/** The tenant that a field was checked for. Stores take their microdaoId from here and from nowhere else. */
export interface Scope {
  /** Reading it throws in a field whose `@access` names no microDAO. */
  readonly microdaoId: string;
  /** The agent that is named, or that the caller is; undefined where none is meant. */
  readonly agentId: string | undefined;
}

interface AccessRule {
  /** `Query.llmUsage`, for messages. */
  readonly field: string;
  readonly roles: ReadonlySet<Role>;
  readonly microdao: readonly string[] | undefined;
  readonly agent: readonly string[] | undefined;
}

interface AccessContext {
  readonly caller: Caller;
}

const rootFieldsOfFederation = new Set(['_service', '_entities']);

/**
 * Puts the check that `@access` declares in front of every resolver, and of every subscription's source.
 *
 * @param resolvers the resolver map the schema was built from: a field with a resolver of its own loads data of its own
 * @throws Error when a root field, or another field with a resolver of its own, has no `@access`
 */
export function enforceAccess(schema: GraphQLSchema, resolvers: Readonly<Record<string, unknown>>): void {
  const directive = schema.getDirective('access');
  const missing: string[] = [];
  const rootTypes = new Set([schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]);
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue;
    const own = (resolvers[type.name] ?? {}) as Record<string, unknown>;
    for (const field of Object.values(type.getFields())) {
      const isRoot = rootTypes.has(type);
      if (isRoot && rootFieldsOfFederation.has(field.name)) continue;
      const values = directive && field.astNode ? getDirectiveValues(directive, field.astNode) : undefined;
      if (values === undefined) {
        if (isRoot || own[field.name] !== undefined) missing.push(`${type.name}.${field.name}`);
        continue;
      }
      protect(field, readRule(`${type.name}.${field.name}`, values), isRoot && type === schema.getSubscriptionType());
    }
  }
  if (missing.length > 0)
    throw new Error(`@access is missing on ${missing.join(', ')}; say in the schema who may use them`);
}

function readRule(field: string, values: Record<string, unknown>): AccessRule {
  const named = (values['roles'] as string[]).map((role) => role.toLowerCase());
  const unknown = named.filter((role) => !(roles as readonly string[]).includes(role));
  if (unknown.length > 0) throw new Error(`@access on ${field} names unknown roles: ${unknown.join(', ')}`);
  const path = (value: unknown) => (typeof value === 'string' ? value.split('.') : undefined);
  return { field, roles: new Set(named as Role[]), microdao: path(values['microdao']), agent: path(values['agent']) };
}

function protect(field: GraphQLField<unknown, AccessContext>, rule: AccessRule, isSubscription: boolean): void {
  const guard =
    (next: GraphQLFieldResolver<unknown, AccessContext>): GraphQLFieldResolver<unknown, AccessContext> =>
    (parent, args, context, info) =>
      next(parent, args, { ...context, scope: checkAccess(rule, context.caller, parent, args) } as AccessContext, info);
  if (isSubscription) {
    // Checked once, when the source is opened; its events belong to the same tenant.
    if (field.subscribe) field.subscribe = guard(field.subscribe);
  } else {
    field.resolve = guard(field.resolve ?? defaultFieldResolver);
  }
}

/**
 * @throws AppError NOT_FOUND for another tenant's microDAO, FORBIDDEN for a role or agent that may not,
 *   INVALID_INPUT when no microDAO is named and the caller has not exactly one
 */
function checkAccess(rule: AccessRule, caller: Caller, parent: unknown, args: unknown): Scope {
  if (rule.microdao === undefined) {
    if (!caller.admin && !caller.memberships.some(({ role }) => rule.roles.has(role))) throw forbidden(rule, caller);
    return new NoTenantScope(rule.field, caller.agentId);
  }
  const microdaoId = idAt(rule.microdao, 'microdao', parent, args) ?? onlyMembership(rule.microdao, caller);
  const role = roleIn(caller, microdaoId);
  if (!caller.admin) {
    if (role === undefined) throw new AppError('NOT_FOUND', `There is no microDAO ${microdaoId}.`);
    if (!rule.roles.has(role)) throw forbidden(rule, caller, role);
  }
  const named = rule.agent === undefined ? undefined : idAt(rule.agent, 'agent', parent, args);
  if (
    role === 'agent' &&
    !caller.admin &&
    (caller.agentId === undefined || (named !== undefined && named !== caller.agentId))
  ) {
    throw new AppError(
      'FORBIDDEN',
      `${caller.subject} may use ${rule.field} for ${caller.agentId ?? 'no agent'} only, not for ${named ?? 'others'}.`,
    );
  }
  return { microdaoId, agentId: named ?? caller.agentId };
}

function forbidden(rule: AccessRule, caller: Caller, role?: Role): AppError {
  const allowed = ['admin', ...rule.roles].join(', ');
  return new AppError(
    'FORBIDDEN',
    `${rule.field} is for the roles ${allowed}; ${caller.subject} is ${role ?? 'none of them'}.`,
  );
}

function onlyMembership(path: readonly string[], caller: Caller): string {
  const [only, ...others] = caller.memberships;
  if (only !== undefined && others.length === 0) return only.microdaoId;
  const choices = caller.memberships.slice(0, 10).map(({ microdaoId }) => microdaoId);
  const hint = choices.length === 0 ? 'name the microDAO it is for' : `name one of ${choices.join(', ')}`;
  throw invalidInput([
    { path: path.join('.'), reason: `is required: the token does not belong to exactly one microDAO; ${hint}` },
  ]);
}

function idAt(path: readonly string[], kind: 'microdao' | 'agent', parent: unknown, args: unknown): string | undefined {
  const fromParent = path[0] === 'parent';
  let value: unknown = fromParent ? parent : args;
  for (const key of fromParent ? path.slice(1) : path) {
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  }
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string' && isId(value, kind)) return value;
  const reason = `must be an id such as ${kind}:daarion (letters, digits, dot, underscore, tilde and hyphen, at most 128 after the colon)`;
  throw invalidInput([{ path: path.join('.'), reason }]);
}

/** A defect shows as an error instead of as an undefined tenant in a query. */
class NoTenantScope implements Scope {
  readonly #field: string;
  readonly agentId: string | undefined;

  constructor(field: string, agentId: string | undefined) {
    this.#field = field;
    this.agentId = agentId;
  }

  get microdaoId(): string {
    throw new Error(`@access on ${this.#field} names no microDAO, so it has none to read`);
  }
}
