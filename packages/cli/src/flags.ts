/** Flags of a command, from an API's parameters; and their values back into parameters. Pure. */
import { createHash } from 'node:crypto'
import { SkerryError } from '@skerry/contract/errors'
import type { CatalogApi, CatalogResource, Kind, Param } from './catalog.ts'

export interface Flag {
  /** the API's parameter */
  param: string
  /** `l3-network` for `l3NetworkUuid`: names are accepted */
  name: string
  kind: Kind
  choices: readonly string[]
  required: boolean
  /** table of the resource whose names it takes */
  of?: string
}

const kebab = (text: string) => text.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase()

/** `zoneUuid` → `zone`, `l3NetworkUuids` → `l3-networks`, `primaryStorageUuidForRootVolume` → `primary-storage-for-root-volume`. */
export function flagName(param: string): string {
  if (param === 'resourceUuid' || param === 'tagUuids') return kebab(param)
  return kebab(param.replace(/^(.+?)Uuid(s?)(?=$|For[A-Z])/, (_, stem: string, plural: string) => stem + plural))
}

const inPath = (api: CatalogApi, param: string) => api.path.includes(`{${param}}`)

/**
 * The parameter that the word after the noun stands for: the name of what is made, else the resource itself, else the only
 * thing that the path asks for. Undefined: the call has no subject.
 */
export function subjectOf(api: CatalogApi, resource: CatalogResource): Param | undefined {
  const named = (name: string) => api.params.find((param) => param.name === name)
  if (api.method === 'POST' && named('name')) return named('name')
  const own = named('uuid') ?? named(`${resource.name}Uuid`)
  const variables = api.params.filter(({ name }) => inPath(api, name))
  return own ?? (variables.length === 1 ? variables[0] : undefined)
}

/** Everything that the API takes but its subject; a name may also be given as a flag. */
export function flagsOf(api: CatalogApi, resource: CatalogResource): Flag[] {
  const subject = subjectOf(api, resource)?.name
  return api.params
    .filter(({ name }) => name !== subject || name === 'name')
    .map(({ name, kind, choices, required, of }) => ({
      ...{ param: name, name: flagName(name), kind, choices },
      required: required && name !== 'name',
      ...(of ? { of } : {}),
    }))
}

const scale: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 }

function usage(flag: Flag, problem: string): SkerryError {
  return new SkerryError('invalid-argument', `--${flag.name}: ${problem}`, { field: flag.param })
}

/** `512M` is 536870912: sizes are bytes, with binary suffixes. */
function number(flag: Flag, text: string): number {
  const [, digits, suffix] = /^(-?\d+(?:\.\d+)?)([kmgt]?)(?:i?b)?$/i.exec(text) ?? []
  if (digits === undefined) throw usage(flag, `${JSON.stringify(text)} is not a number or size (512M, 10G)`)
  return Number(digits) * (scale[(suffix ?? '').toLowerCase()] ?? 1)
}

function boolean(flag: Flag, text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  throw usage(flag, 'true or false is wanted')
}

/** `key=value` pairs as a map. */
function pairs(flag: Flag, texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=')
      if (at < 1) throw usage(flag, `${JSON.stringify(text)} is no key=value`)
      return [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}

/** The same with values `a,b`, which are lists. */
const map = (flag: Flag, texts: readonly string[]): Record<string, string[]> =>
  Object.fromEntries(Object.entries(pairs(flag, texts)).map(([key, value]) => [key, value.split(',')]))

function json(flag: Flag, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new SkerryError('invalid-argument', `--${flag.name}: JSON is wanted`, { field: flag.param }, { cause })
  }
}

/** The value of a flag as the API wants it. `given`: what was typed, one entry per use of the flag. */
export function flagValue(flag: Flag, given: readonly string[]): unknown {
  const last = given.at(-1) ?? ''
  if (flag.kind === 'number') return number(flag, last)
  if (flag.kind === 'boolean') return boolean(flag, last)
  if (flag.kind === 'list') return given.flatMap((text) => text.split(',')).filter((text) => text !== '')
  if (flag.kind === 'map') return map(flag, given)
  if (flag.kind === 'pairs') return pairs(flag, given)
  if (flag.kind === 'password') return createHash('sha512').update(last).digest('hex')
  return flag.kind === 'json' ? json(flag, last) : last
}
