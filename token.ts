import { parseArgs } from 'node:util';
import { readCommandConfig } from './config.ts';
import { isId, roles, type Membership, type Role } from './platform/caller.ts';
import { ConfigError, readEnvironment, type SettingProblem } from './platform/config.ts';
import { readOrCreateSecret } from './platform/data-folder.ts';
import { runProcess } from './platform/run-process.ts';
import { issueToken } from './platform/tokens.ts';
import { revokeByCommand } from './platform/token-revocation-command.ts';

const help = `Prints a token, alone, on standard output.

  npm run --silent token -- --microdao microdao:daarion --role service
  npm run --silent token -- --microdao microdao:daarion --role agent --agent agent:sofia --ttl 30d
  npm run --silent token -- --role admin
  npm run --silent token -- --revoke 0b6c8b0e-…

  --microdao ID   the microDAO the role holds in; may repeat
  --role ROLE     admin, ${roles.join(', ')}
  --agent ID      the agent the token is for; required with --role agent
  --subject ID    who holds it; default: the agent, service:cli or user:cli
  --ttl LENGTH    30d, 12h, 45m or 90s; default 30d
  --revoke TOKEN  revokes a token, or the one with this jti, at once on every gateway
  --help          this text

Works before the first start and beside a running server. The secret is AUTH_SECRET, or the one in DATA_DIR.
`;

const options = {
  microdao: { type: 'string', multiple: true },
  role: { type: 'string' },
  agent: { type: 'string' },
  subject: { type: 'string' },
  ttl: { type: 'string', default: '30d' },
  revoke: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const timeToLiveMaxMs = 3_650 * unitMs.d;

function readArguments() {
  try {
    return parseArgs({ options, allowPositionals: false }).values;
  } catch (error) {
    throw new ConfigError([{ name: 'arguments', reason: `${(error as Error).message}; see --help` }]);
  }
}

type Values = ReturnType<typeof readArguments>;

/** @throws ConfigError with all that is wrong at once */
function readRequest({ microdao = [], role, agent, subject, ttl }: Values) {
  const problems: SettingProblem[] = [];
  const check = (name: string, holds: boolean, reason: string) => holds || problems.push({ name, reason });
  check(
    '--role',
    role === 'admin' || (roles as readonly (string | undefined)[]).includes(role),
    `must be one of admin, ${roles.join(', ')}`,
  );
  check('--microdao', role === 'admin' || microdao.length > 0, 'is required unless the role is admin');
  for (const id of microdao)
    check('--microdao', isId(id, 'microdao'), `must be an id such as microdao:daarion, not ${id}`);
  check('--agent', role !== 'agent' || agent !== undefined, 'is required for the role agent');
  check('--agent', agent === undefined || isId(agent, 'agent'), 'must be an id such as agent:sofia');
  check('--subject', subject === undefined || isId(subject), 'must be an id such as user:alice');
  const [, length, unit] = /^(\d{1,9})([smhd])$/.exec(ttl) ?? [];
  const timeToLiveMs = Number(length) * unitMs[(unit ?? 's') as keyof typeof unitMs];
  check(
    '--ttl',
    timeToLiveMs > 0 && timeToLiveMs <= timeToLiveMaxMs,
    'must be a length such as 30d, 12h, 45m or 90s, at most 3650d',
  );
  if (problems.length > 0) throw new ConfigError(problems);

  // An admin stands above tenants; the microDAOs named are those meant where a request names none.
  const held: Role = role === 'admin' ? 'operator' : (role as Role);
  const memberships: Membership[] = [...new Set(microdao)].map((microdaoId) => ({ microdaoId, role: held }));
  const holder = subject ?? agent ?? (role === 'service' ? 'service:cli' : 'user:cli');
  return { subject: holder, admin: role === 'admin', memberships, agentId: agent, timeToLiveMs };
}

await runProcess(async () => {
  const values = readArguments();
  if (values.help) {
    process.stdout.write(help);
    return;
  }
  const config = readCommandConfig(readEnvironment());
  if (values.revoke !== undefined) {
    const { jti } = await revokeByCommand(values.revoke, {
      databaseUrl: config.DATABASE_URL,
      dataFolder: config.DATA_DIR,
    });
    process.stdout.write(`revoked ${jti}\n`);
    return;
  }
  const request = readRequest(values);
  const secret = config.AUTH_SECRET ?? (await readOrCreateSecret(config.DATA_DIR, 'auth-secret'));
  const { token } = await issueToken({ secret, issuer: config.AUTH_ISSUER, audience: config.AUTH_AUDIENCE }, request);
  process.stdout.write(`${token}\n`);
});
