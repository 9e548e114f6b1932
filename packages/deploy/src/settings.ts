/** What a person may choose, from arguments and the environment; everything else follows from it (layout.ts). Pure. */
import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import { cidr4, path, SkerryError } from '@skerry/contract'
import { z } from 'zod'

export const DEFAULT_STATE_DIR = '/var/lib/skerry'
const DEFAULT_PASSWORD = 'password'

export interface Settings {
  stateDir: string
  /** `skerry`, or with a suffix where the state is not in the usual place: names units and contexts, so that sites don't clash. */
  siteName: string
  http: { addr: string; port: number }
  nats: { addr: string; port: number }
  adminPassword: string
  /** Network of the demo's guests; undefined: no demo resources. */
  demoCidr: string | undefined
  /** What the demo's VM is made of; undefined: whatever it is made of already, else the tiny guest. */
  guest: GuestKind | undefined
  /** File of a public key for the demo's VM; undefined: a key of the site's own. */
  sshKey: string | undefined
  /** Whose libvirtd guests run on. `auto`: the machine's where one answers, else one of our own. */
  libvirt: 'auto' | 'own' | 'system'
  /** Plugins for the controller, and workflows that are declared; `none`: not any more. undefined: as before. */
  plugins: string | undefined
  workflows: string | undefined
  /** A new server certificate, though the one there is good. */
  renewTls: boolean
  /** Another certificate authority in place of the one there is. */
  renewCa: boolean
}

export const GUEST_KINDS = ['tiny', 'debian'] as const
export type GuestKind = (typeof GUEST_KINDS)[number]

export interface DownSettings {
  stateDir: string
  siteName: string
  purge: boolean
}

const port = z.coerce.number().int().min(1).max(65535)
const address = z.string().refine((text) => isIP(text) !== 0, 'must be an IP address')
const environment = z.object({
  SKERRY_STATE_DIR: path.default(DEFAULT_STATE_DIR),
  SKERRY_HTTP_ADDR: address.default('127.0.0.1'),
  SKERRY_HTTP_PORT: port.default(8080),
  SKERRY_NATS_ADDR: z.string().default('127.0.0.1:4222'),
  SKERRY_ADMIN_PASSWORD: z.string().min(1).max(255).default(DEFAULT_PASSWORD),
  SKERRY_DEMO_CIDR: cidr4.default('10.0.137.0/24'),
  SKERRY_LIBVIRT: z.enum(['auto', 'own', 'system']).default('auto'),
})

export const UP_USAGE = `usage: scripts/up [--no-demo | --guest KIND] [--ssh-key FILE] [--plugins PATH] [--workflows FOLDER] [--renew-tls] [--renew-ca]
  --no-demo              stop before the demo resources
  --guest KIND           what the VM hello is: tiny (the default), or debian: a whole Debian 12 with cloud-init, built here in some
                         minutes, to log in with: skerry ssh hello
  --ssh-key FILE         your public key for that VM, in place of one that is made for the site
  --plugins PATH         plugins of the controller: a folder of *.mjs, or one (packages/plugin/README.md); none takes them away
  --workflows FOLDER     workflows to change, each as a *.yaml (packages/workflow/README.md); none takes them away
                         Both are kept by later runs, and a run after a change of the files starts the controller with them.
  --renew-tls            give the servers a new key and certificate
  --renew-ca             replace the site's certificate authority, while all agents can be reached
  SKERRY_STATE_DIR       where everything is kept (${DEFAULT_STATE_DIR})
  SKERRY_HTTP_ADDR       address of the API (127.0.0.1)      SKERRY_HTTP_PORT  its port (8080)
  SKERRY_NATS_ADDR       address[:port] of NATS (127.0.0.1:4222)
  SKERRY_ADMIN_PASSWORD  of the account admin, at the first start (${DEFAULT_PASSWORD}; only on loopback)
  SKERRY_DEMO_CIDR       network of the demo's guests (10.0.137.0/24)
  SKERRY_LIBVIRT         own | system | auto: whose libvirtd to use (auto: the machine's, if it runs one)
`
export const DOWN_USAGE = `usage: scripts/down [--purge]
  --purge                also remove all that up made (guests and their disks too), and nothing else
  SKERRY_STATE_DIR       which site (${DEFAULT_STATE_DIR})
`

export function readUpSettings(argv: readonly string[], env: Record<string, string | undefined>): Settings | 'help' {
  const flags = readFlags(argv, {
    plain: ['--no-demo', '--renew-tls', '--renew-ca'],
    valued: ['--guest', '--ssh-key', '--plugins', '--workflows'],
  })
  if (flags === 'help') return 'help'
  const guest = flags.get('--guest')
  if (guest !== undefined && !isGuestKind(guest))
    throw new SkerryError('invalid-argument', `--guest is ${GUEST_KINDS.join(' or ')}, not ${guest}`, { field: '--guest' })
  if (guest !== undefined && flags.has('--no-demo'))
    throw new SkerryError('invalid-argument', '--guest says what the demo is, and --no-demo that there is none')
  const parsed = readEnvironment(env)
  const http = { addr: parsed.SKERRY_HTTP_ADDR, port: parsed.SKERRY_HTTP_PORT }
  if (!isLoopback(http.addr) && parsed.SKERRY_ADMIN_PASSWORD === DEFAULT_PASSWORD) {
    const message = `the API would listen on ${http.addr} with the password that everybody knows: set SKERRY_ADMIN_PASSWORD`
    throw new SkerryError('invalid-argument', message, { field: 'SKERRY_ADMIN_PASSWORD' })
  }
  return {
    stateDir: parsed.SKERRY_STATE_DIR,
    siteName: siteName(parsed.SKERRY_STATE_DIR),
    http,
    nats: natsAddress(parsed.SKERRY_NATS_ADDR),
    adminPassword: parsed.SKERRY_ADMIN_PASSWORD,
    demoCidr: flags.has('--no-demo') ? undefined : parsed.SKERRY_DEMO_CIDR,
    guest,
    sshKey: flags.get('--ssh-key'),
    plugins: flags.get('--plugins'),
    workflows: flags.get('--workflows'),
    libvirt: parsed.SKERRY_LIBVIRT,
    renewTls: flags.has('--renew-tls'),
    renewCa: flags.has('--renew-ca'),
  }
}

export function readDownSettings(argv: readonly string[], env: Record<string, string | undefined>): DownSettings | 'help' {
  const flags = readFlags(argv, { plain: ['--purge'], valued: [] })
  if (flags === 'help') return 'help'
  const { SKERRY_STATE_DIR: stateDir } = readEnvironment(env)
  return { stateDir, siteName: siteName(stateDir), purge: flags.has('--purge') }
}

/** 127.0.0.0/8 and ::1. */
export function isLoopback(addr: string): boolean {
  return addr === '::1' || (isIP(addr) === 4 && addr.startsWith('127.'))
}

function siteName(stateDir: string): string {
  if (stateDir === DEFAULT_STATE_DIR) return 'skerry'
  return `skerry-${createHash('sha256').update(stateDir).digest('hex').slice(0, 8)}`
}

const isGuestKind = (text: string): text is GuestKind => (GUEST_KINDS as readonly string[]).includes(text)

/** `--flag`, `--name value` and `--name=value`; those without a value have an empty one. */
function readFlags(
  argv: readonly string[],
  known: { plain: readonly string[]; valued: readonly string[] },
): Map<string, string> | 'help' {
  if (argv.includes('--help') || argv.includes('-h')) return 'help'
  const found = new Map<string, string>()
  const unknown: string[] = []
  for (let at = 0; at < argv.length; at++) {
    const [name = '', ...rest] = (argv[at] ?? '').split('=')
    const value = rest.length > 0 ? rest.join('=') : undefined
    if (known.plain.includes(name) && value === undefined) found.set(name, '')
    else if (known.valued.includes(name)) {
      const given = value ?? argv[++at]
      if (!given || given.startsWith('--')) throw new SkerryError('invalid-argument', `${name} needs a value`, { field: name })
      found.set(name, given)
    } else unknown.push(argv[at] ?? '')
  }
  if (unknown.length === 0) return found
  const there = [...known.plain, ...known.valued].join(', ')
  throw new SkerryError('invalid-argument', `unknown argument ${unknown.join(' ')}; there is ${there} and --help`)
}

function readEnvironment(env: Record<string, string | undefined>): z.infer<typeof environment> {
  const parsed = environment.safeParse(env)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`)
  throw new SkerryError('invalid-argument', problems.join('; '), { problems })
}

function natsAddress(text: string): { addr: string; port: number } {
  const [, addr = '', digits] = /^(?:\[?([0-9a-fA-F.:]+?)\]?)(?::(\d{1,5}))?$/.exec(text) ?? []
  const parsed = port.safeParse(digits ?? 4222)
  if (isIP(addr) !== 0 && parsed.success) return { addr, port: parsed.data }
  throw new SkerryError('invalid-argument', `SKERRY_NATS_ADDR must be an IP address with or without a port, not ${text}`)
}
