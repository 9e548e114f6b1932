/** Settings of an agent process: arguments, else environment, else `<config>` (JSON). The only reader of `SKERRY_*` in agents. */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { type AgentKind, hostname, path, SkerryError } from '@skerry/contract'
import { z } from 'zod'

const settings = z.object({
  stateDir: path,
  /** `http(s)://host:port`; needed only until the agent is enrolled. */
  controller: z.url().optional(),
  tokenFile: path.optional(),
  managementIp: hostname.optional(),
  /** PEM file of the CA that the controller's certificate is from. */
  caFile: path.optional(),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']),
})
export type Settings = z.infer<typeof settings>

const OPTIONS = {
  'state-dir': { type: 'string' },
  controller: { type: 'string' },
  'token-file': { type: 'string' },
  'management-ip': { type: 'string' },
  'ca-file': { type: 'string' },
  'log-level': { type: 'string' },
  config: { type: 'string' },
} as const

/** Throws `invalid-argument` naming each setting that is wrong. */
export async function readSettings(
  kind: AgentKind,
  argv: readonly string[],
  env: Record<string, string | undefined>,
): Promise<Settings> {
  const args = parse(argv)
  const fromFile = args.config ? z.record(z.string(), z.unknown()).parse(JSON.parse(await readFile(args.config, 'utf8'))) : {}
  const given = {
    stateDir: args['state-dir'] ?? env['SKERRY_STATE_DIR'] ?? `/var/lib/skerry/agent-${kind}`,
    controller: args.controller ?? env['SKERRY_CONTROLLER'],
    tokenFile: args['token-file'] ?? env['SKERRY_TOKEN_FILE'],
    managementIp: args['management-ip'] ?? env['SKERRY_MANAGEMENT_IP'],
    caFile: args['ca-file'] ?? env['SKERRY_CA_FILE'],
    logLevel: args['log-level'] ?? env['SKERRY_LOG_LEVEL'] ?? 'info',
  }
  const named = Object.fromEntries(
    Object.entries(given).filter(([key, value]) => value !== undefined && !isDefault(key, args, env)),
  )
  const parsed = settings.safeParse({ ...given, ...fromFile, ...named })
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  throw new SkerryError('invalid-argument', `settings of agent-${kind} are not valid: ${problems.join('; ')}`, { problems })
}

/** A default of ours gives way to the file. */
function isDefault(key: string, args: Record<string, unknown>, env: Record<string, string | undefined>): boolean {
  if (key === 'stateDir') return args['state-dir'] === undefined && env['SKERRY_STATE_DIR'] === undefined
  if (key === 'logLevel') return args['log-level'] === undefined && env['SKERRY_LOG_LEVEL'] === undefined
  return false
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true }).values
  } catch (cause) {
    throw new SkerryError(
      'invalid-argument',
      cause instanceof Error ? cause.message : 'unknown arguments',
      { known: Object.keys(OPTIONS) },
      { cause },
    )
  }
}
