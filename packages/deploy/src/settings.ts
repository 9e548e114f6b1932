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
  /** Whose libvirtd guests run on. `auto`: the machine's where one answers, else one of our own. */
  libvirt: 'auto' | 'own' | 'system'
}

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

export const UP_USAGE = `usage: scripts/up [--no-demo]
  --no-demo              stop before the demo resources
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
  const flags = readFlags(argv, ['--no-demo'])
  if (flags === 'help') return 'help'
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
    libvirt: parsed.SKERRY_LIBVIRT,
  }
}

export function readDownSettings(argv: readonly string[], env: Record<string, string | undefined>): DownSettings | 'help' {
  const flags = readFlags(argv, ['--purge'])
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

function readFlags(argv: readonly string[], known: readonly string[]): Set<string> | 'help' {
  if (argv.includes('--help') || argv.includes('-h')) return 'help'
  const unknown = argv.filter((arg) => !known.includes(arg))
  if (unknown.length > 0) {
    throw new SkerryError('invalid-argument', `unknown argument ${unknown.join(' ')}; there is ${known.join(', ')} and --help`)
  }
  return new Set(argv)
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
