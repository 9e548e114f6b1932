/** Flags of a command, computed from an API's parameters; and their values back into parameters. Pure. */
import { type Api, type Resource, SkerryError } from '@skerry/contract'
import type { z } from 'zod'

export type Kind = 'text' | 'number' | 'boolean' | 'list' | 'map' | 'json'

export interface Flag {
  /** the API's parameter */
  param: string
  /** `l3-network` for `l3NetworkUuid`: names are accepted */
  name: string
  kind: Kind
  choices: readonly string[]
  required: boolean
}

const wrappers = new Set(['optional', 'nullable', 'default', 'readonly'])

function unwrap(schema: z.ZodType): z.ZodType {
  let inner = schema
  while (wrappers.has(inner.def.type)) inner = (inner.def as unknown as { innerType: z.ZodType }).innerType
  return inner
}

const kebab = (text: string) => text.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase()

/** `zoneUuid` → `zone`, `l3NetworkUuids` → `l3-networks`, `primaryStorageUuidForRootVolume` → `primary-storage-for-root-volume`. */
export function flagName(param: string): string {
  if (param === 'resourceUuid' || param === 'tagUuids') return kebab(param)
  return kebab(param.replace(/^(.+?)Uuid(s?)(?=$|For[A-Z])/, (_, stem: string, plural: string) => stem + plural))
}

function kindOf(inner: z.ZodType): Kind {
  const { type } = inner.def
  if (type === 'number') return 'number'
  if (type === 'literal') return typeof (inner as z.ZodLiteral).def.values[0] === 'number' ? 'number' : 'text'
  if (type === 'boolean') return 'boolean'
  if (type === 'array') return 'list'
  if (type === 'record') return 'map'
  return type === 'object' || type === 'unknown' ? 'json' : 'text'
}

function choicesOf(inner: z.ZodType): string[] {
  if (inner.def.type === 'enum')
    return Object.values((inner.def as unknown as { entries: Record<string, string> }).entries).filter((value) => value !== '')
  return inner.def.type === 'array' ? choicesOf(unwrap((inner as z.ZodArray<z.ZodType>).element)) : []
}

const variablesOf = (api: Api) => [...api.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '')

/**
 * The parameter that the word after the noun stands for: the name of what is made, else the resource itself, else the only
 * thing that the path asks for. Undefined: the call has no subject.
 */
export function subjectOf(api: Api, resource: Resource): string | undefined {
  if (api.method === 'POST' && 'name' in api.params.shape) return 'name'
  const variables = variablesOf(api)
  const own = [`uuid`, `${resource.name}Uuid`].find((name) => variables.includes(name) || name in api.params.shape)
  return own ?? (variables.length === 1 ? variables[0] : undefined)
}

/** Everything that the API takes but its subject. */
export function flagsOf(api: Api, resource: Resource): Flag[] {
  const subject = subjectOf(api, resource)
  const shape = api.params.shape as Record<string, z.ZodType>
  const inPath = variablesOf(api).filter((name) => name !== subject && !(name in shape))
  const fromPath = inPath.map((param): Flag => ({ param, name: flagName(param), kind: 'text', choices: [], required: true }))
  const fromShape = Object.entries(shape)
    .filter(([param]) => param !== subject || subject === 'name')
    .map(([param, schema]): Flag => {
      const inner = unwrap(schema)
      const required = param !== 'name' && (!schema.safeParse(undefined).success || variablesOf(api).includes(param))
      return { param, name: flagName(param), kind: kindOf(inner), choices: choicesOf(inner), required }
    })
  return [...fromPath, ...fromShape]
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

/** `key=a,b` pairs as a map of lists. */
function map(flag: Flag, texts: readonly string[]): Record<string, string[]> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=')
      if (at < 1) throw usage(flag, `${JSON.stringify(text)} is no key=value`)
      return [text.slice(0, at), text.slice(at + 1).split(',')]
    }),
  )
}

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
  return flag.kind === 'json' ? json(flag, last) : last
}
