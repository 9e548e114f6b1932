/**
 * What can be configured while a site runs: ZStack's names and defaults (zstack-core Appendix B), as far as the feature is here.
 * Everything in this list acts; a test looks for who reads it. Values are text on the wire, as ZStack's are.
 */
import { SkerryError } from './errors.ts'
import { deletionPolicy } from './resource.ts'

export type ConfigKind =
  | { type: 'integer' | 'number'; min: number; max: number }
  /** bytes: `1G`, `512M` or a number */
  | { type: 'size'; min: number; max: number }
  /** `14d`, `12h`, `30m`, `10s`; bounds in seconds */
  | { type: 'duration'; min: number; max: number }
  | { type: 'boolean' }
  | { type: 'options'; values: readonly string[] }

/** Tables of resources that may have a value of their own. */
export type ConfigOn = 'vmInstance' | 'host' | 'cluster' | 'zone' | 'primaryStorage'

export interface Config {
  category: string
  name: string
  default: string
  kind: ConfigKind
  about: string
  /** from the resource outward: the first that has a value wins */
  on?: readonly ConfigOn[]
}

const DAY = 86_400
const YEAR = 366 * DAY
const integer = (min: number, max: number): ConfigKind => ({ type: 'integer', min, max })
const seconds = (min: number, max = 10 * YEAR): ConfigKind => integer(min, max)
const ratio = (min: number, max: number): ConfigKind => ({ type: 'number', min, max })
const size: ConfigKind = { type: 'size', min: 0, max: Number.MAX_SAFE_INTEGER }
const yesNo: ConfigKind = { type: 'boolean' }
const policy: ConfigKind = { type: 'options', values: deletionPolicy.options }
const host = { on: ['host', 'cluster', 'zone'] } as const
const storage = { on: ['primaryStorage'] } as const

const config = <const C extends string, const N extends string>(
  [category, name, value]: readonly [C, N, string],
  kind: ConfigKind,
  about: string,
  more: Pick<Config, 'on'> = {},
) => ({ category, name, default: value, kind, about, ...more })

const kept = 'Direct: at once and for good; Delay: it can be recovered for the expunge period; Never: until somebody expunges it'

export const configs = [
  config(['vm', 'deletionPolicy', 'Delay'], policy, `What destroying a VM instance does. ${kept}`),
  config(['vm', 'expungePeriod', '604800'], seconds(1), 'Seconds for which a destroyed VM instance can be recovered'),
  config(['vm', 'expungeInterval', '3600'], seconds(1, 30 * DAY), 'Seconds between two looks for VM instances to expunge'),
  config(['volume', 'deletionPolicy', 'Delay'], policy, `What deleting a data volume does. ${kept}`),
  config(['volume', 'expungePeriod', '259200'], seconds(1), 'Seconds for which a deleted data volume can be recovered'),
  config(['volume', 'expungeInterval', '3600'], seconds(1, 30 * DAY), 'Seconds between two looks for data volumes to expunge'),
  config(['image', 'deletionPolicy', 'Delay'], policy, `What deleting an image does. ${kept}`),
  config(['image', 'expungePeriod', '259200'], seconds(1), 'Seconds for which a deleted image can be recovered'),
  config(['image', 'expungeInterval', '3600'], seconds(1, 30 * DAY), 'Seconds between two looks for images to expunge'),
  config(['identity', 'session.timeout', '7200'], seconds(60, YEAR), 'Seconds that a session lasts'),
  config(
    ['identity', 'session.maxConcurrent', '500'],
    integer(1, 1_000_000),
    'Sessions that an account, or one of its users, may have at once',
  ),
  config(
    ['identity', 'enable.unique.session', 'false'],
    yesNo,
    'Whether logging in ends all other sessions of the same account or user',
  ),
  config(
    ['gc', 'retentionTime', '14d'],
    { type: 'duration', min: 0, max: 10 * YEAR },
    'For how long GC jobs that are done are kept',
  ),
  config(['longJob', 'longJob.api.timeout', '259200'], seconds(60, YEAR), 'Seconds that the call of a long job may take'),
  config(['host', 'cpu.overProvisioning.ratio', '10'], ratio(1, 1000), 'Virtual CPUs promised for each CPU of a host', host),
  config(['mevoco', 'overProvisioning.memory', '1.0'], ratio(0.1, 1000), 'Memory promised for each byte that a host has', host),
  config(
    ['mevoco', 'overProvisioning.primaryStorage', '1.0'],
    ratio(0.1, 1000),
    'Bytes promised for each byte that a primary storage has',
    storage,
  ),
  config(['kvm', 'reservedMemory', '1G'], size, 'Memory of a host that its VM instances never get', host),
  config(['primaryStorage', 'reservedCapacity', '1G'], size, 'Bytes of a primary storage that volumes never get', storage),
  config(
    ['primaryStorage', 'primaryStorage.used.physicalCapacity.forecast.threshold', '0.9'],
    ratio(0, 1),
    'Share of its bytes that may be in use where more is promised than there is',
    storage,
  ),
  config(['hostAllocator', 'reservedCapacity.hostLevel', 'true'], yesNo, 'Whether a host’s own tags reserve memory'),
  config(['hostAllocator', 'reservedCapacity.clusterLevel', 'true'], yesNo, 'Whether a cluster’s tags reserve memory'),
  config(['hostAllocator', 'reservedCapacity.zoneLevel', 'true'], yesNo, 'Whether a zone’s tags reserve memory'),
  config(
    ['vm', 'resourceBinding.strategy', 'Hard'],
    { type: 'options', values: ['Hard', 'Soft'] },
    'Whether a VM instance that is bound to hosts or clusters may start elsewhere when they have no room (Soft)',
  ),
  config(
    ['securityGroup', 'ingress.defaultPolicy', 'drop'],
    { type: 'options', values: ['drop', 'accept'] },
    'What happens to what comes to a network card in its first security group and no rule decides',
  ),
  config(
    ['securityGroup', 'egress.defaultPolicy', 'accept'],
    { type: 'options', values: ['drop', 'accept'] },
    'What happens to what a network card in its first security group sends and no rule decides',
  ),
  config(['securityGroup', 'rules.num.limit', '100'], integer(1, 200), 'Rules of each direction that a security group may have'),
] as const satisfies readonly Config[]

type Listed = (typeof configs)[number]
/** `vm.expungePeriod` */
export type ConfigKey = Listed extends infer C
  ? C extends { category: infer A; name: infer N }
    ? `${A & string}.${N & string}`
    : never
  : never

export const configKey = ({ category, name }: Pick<Config, 'category' | 'name'>): ConfigKey => `${category}.${name}` as ConfigKey

const byKey: ReadonlyMap<string, Config> = new Map(configs.map((c) => [configKey(c), c]))

export const configOf = (key: string): Config | undefined => byKey.get(key)

/** The same by category and name; throws `not-found`, naming the parameter `field`. */
export function configNamed(category: unknown, name: unknown, field = 'name'): Config {
  const found = configs.find((c) => c.category === category && c.name === name)
  if (found) return found
  throw new SkerryError('not-found', 'there is no configuration with this category and name', { field })
}

const UNITS = ['', 'K', 'M', 'G', 'T']
const SIZE = /^(\d{1,15})\s*([KMGT]?)B?$/i

/** Bytes of `1G`, `512M`, `1073741824`; undefined for what is no size. */
export function sizeOfText(text: string): number | undefined {
  const match = SIZE.exec(text.trim())
  return match ? Number(match[1]) * 1024 ** UNITS.indexOf(match[2]!.toUpperCase()) : undefined
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: DAY }

/** Seconds of `14d`; undefined for what is no duration. */
function secondsOfText(text: string): number | undefined {
  const match = /^(\d{1,9})([smhd])$/.exec(text)
  return match ? Number(match[1]) * SECONDS[match[2]!]! : undefined
}

type Numeric = Extract<ConfigKind, { min: number }>['type']
const numberOf: Record<Numeric, (text: string) => number | undefined> = {
  integer: (text) => (/^-?\d{1,16}$/.test(text) ? Number(text) : undefined),
  number: (text) => (/^-?\d{1,12}(\.\d{1,6})?$/.test(text) ? Number(text) : undefined),
  size: sizeOfText,
  duration: secondsOfText,
}
const forms: Readonly<Record<Numeric, string>> = {
  integer: 'a whole number',
  number: 'a number',
  size: 'a size such as 512M or 10G',
  duration: 'a time such as 12h or 14d',
}

/** What is wrong with a value, as the end of a sentence; undefined: nothing. */
export function configProblem({ kind }: Config, text: string): string | undefined {
  if (kind.type === 'boolean') return text === 'true' || text === 'false' ? undefined : 'must be true or false'
  if (kind.type === 'options') return kind.values.includes(text) ? undefined : `must be one of ${kind.values.join(', ')}`
  const value = numberOf[kind.type](text)
  if (value === undefined) return `must be ${forms[kind.type]}`
  const unit = kind.type === 'duration' ? ' seconds' : ''
  return value < kind.min || value > kind.max ? `must be from ${kind.min} to ${kind.max}${unit}` : undefined
}

/** A number of a config whose value is sound; bytes of a size, seconds of a duration. */
export const configNumber = ({ kind }: Config, text: string): number =>
  ('min' in kind ? numberOf[kind.type](text) : undefined) ?? Number.NaN
