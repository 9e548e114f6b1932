/** What a person may choose of a simulated site, from arguments and the environment. Pure. */
import { isIP } from 'node:net'
import { path, SkerryError } from '@skerry/contract'
import { z } from 'zod'

export interface SimulateSettings {
  stateDir: string
  /** how many hosts there are to be */
  hosts: number
  /** whether to make the demo's resources; without them no host is added either */
  demo: boolean
  httpPort: number
  natsPort: number
  adminPassword: string
  /** given paths, as they were given; `none` takes away what an earlier run was given */
  plugins: string | undefined
  workflows: string | undefined
  /** of the command line's context; the site in the usual place has a name of its own */
  context: string
}

const port = z.coerce.number().int().min(1).max(65535)
const HOST = '127.0.0.1'
export const MAX_HOSTS = 10_000

const environment = z.object({
  SKERRY_STATE_DIR: path,
  SKERRY_HTTP_ADDR: z.literal(HOST, `a simulated site listens on ${HOST} only`).default(HOST),
  SKERRY_HTTP_PORT: port.default(8080),
  SKERRY_NATS_ADDR: z
    .string()
    .regex(/^127\.0\.0\.1(:\d{1,5})?$/, `must be ${HOST} or ${HOST}:<port>: a simulated site listens there only`)
    .default(`${HOST}:4222`),
  SKERRY_ADMIN_PASSWORD: z.string().min(1).max(255).default('password'),
  SKERRY_CONTEXT: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/)
    .default('simulated'),
})

export const SIMULATE_USAGE = `usage: scripts/up --simulate N [--no-demo] [--plugins PATH] [--workflows FOLDER]
  --simulate N           a site of N simulated hosts (1 to ${MAX_HOSTS}), without root and without a hypervisor; N is 3 by default
  --no-demo              only nats-server and the controller: add hosts yourself, at any address 127.x.y.z
  --plugins PATH         plugins of the controller: a folder of *.mjs, or one (packages/plugin/README.md); none takes them away
  --workflows FOLDER     workflows as *.yaml (packages/workflow/README.md); none takes them away. A simulator that runs starts again
  SKERRY_STATE_DIR       where everything is kept ($XDG_STATE_HOME/skerry-simulated, ~/.local/state/skerry-simulated)
  SKERRY_HTTP_PORT       port of the API on ${HOST} (8080)      SKERRY_NATS_ADDR  ${HOST}:port of NATS (${HOST}:4222)
  SKERRY_ADMIN_PASSWORD  of the account admin, at the first start (password)
`

const VALUED = ['--plugins', '--workflows'] as const

/** `--name value` or `--name=value` of those that take a value, and what else is there. Throws `invalid-argument`. */
function flagsIn(argv: readonly string[]): { rest: string[]; flags: Partial<Record<(typeof VALUED)[number], string>> } {
  const parts = argv.flatMap((arg) => {
    const [, name, value] = /^(--[a-z]+)=(.*)$/.exec(arg) ?? []
    return name !== undefined && value !== undefined && ['--simulate', ...VALUED].includes(name) ? [name, value] : [arg]
  })
  const flags: Partial<Record<(typeof VALUED)[number], string>> = {}
  const rest: string[] = []
  for (let i = 0; i < parts.length; i++) {
    const name = VALUED.find((one) => one === parts[i])
    if (name === undefined) {
      rest.push(parts[i]!)
      continue
    }
    const value = parts[++i]
    if (value === undefined || value === '' || value.startsWith('--'))
      throw new SkerryError('invalid-argument', `${name} needs a value`, { field: name })
    flags[name] = value
  }
  return { rest, flags }
}

/** Throws `invalid-argument`. The state folder comes resolved. */
export function readSimulateSettings(
  argv: readonly string[],
  env: Record<string, string | undefined>,
): SimulateSettings | 'help' {
  if (argv.includes('--help') || argv.includes('-h')) return 'help'
  const { rest, flags } = flagsIn(argv)
  const at = rest.indexOf('--simulate')
  const number = at >= 0 && rest[at + 1] !== undefined && !rest[at + 1]!.startsWith('--') ? rest[at + 1]! : undefined
  const unknown = rest.filter((arg, i) => arg !== '--no-demo' && i !== at && !(number !== undefined && i === at + 1))
  if (unknown.length > 0)
    throw new SkerryError(
      'invalid-argument',
      `unknown argument ${unknown.join(' ')}; there is --simulate N, --no-demo, --plugins PATH, --workflows FOLDER and --help`,
    )
  const hosts = number === undefined ? 3 : Number(number)
  if (!Number.isInteger(hosts) || hosts < 1 || hosts > MAX_HOSTS)
    throw new SkerryError('invalid-argument', `--simulate takes a number of hosts from 1 to ${MAX_HOSTS}, not ${number}`)
  const parsed = environment.safeParse(env)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`)
    throw new SkerryError('invalid-argument', problems.join('; '), { problems })
  }
  const given = parsed.data
  const natsPort = port.safeParse(given.SKERRY_NATS_ADDR.split(':')[1] ?? 4222)
  if (!natsPort.success) throw new SkerryError('invalid-argument', 'SKERRY_NATS_ADDR has no port between 1 and 65535')
  return {
    stateDir: given.SKERRY_STATE_DIR,
    hosts,
    demo: !rest.includes('--no-demo'),
    httpPort: given.SKERRY_HTTP_PORT,
    natsPort: natsPort.data,
    adminPassword: given.SKERRY_ADMIN_PASSWORD,
    plugins: flags['--plugins'],
    workflows: flags['--workflows'],
    context: given.SKERRY_CONTEXT,
  }
}

/** Host `n` (from 1) of the demo: 127.0.1.1 … 127.0.1.250, 127.0.2.1 … Leaves 127.0.0.x to people. */
export function addressOfHost(n: number): string {
  const [third, fourth] = [1 + Math.floor((n - 1) / 250), 1 + ((n - 1) % 250)]
  if (isIP(`127.0.${third}.${fourth}`) !== 4) throw new SkerryError('internal', `there is no address for host ${n}`)
  return `127.0.${third}.${fourth}`
}
