/** Every `skerry <verb> <noun>`, computed from the contract. Several APIs may stand behind one: the given flags decide. */
import { SkerryError } from '@skerry/contract/errors'
import type { CatalogApi, CatalogResource } from './catalog.ts'
import { catalog } from './contract-catalog.ts'
import { flagsOf } from './flags.ts'

export interface Command {
  verb: string
  noun: string
  resource: CatalogResource
  /** in the contract's order; the first that knows all given flags is called */
  apis: readonly CatalogApi[]
}

/** Calls that have a command of their own (login, console, tunnel, agent token, query) or that only machines make. */
const elsewhere = new Set([
  'LogInByAccount',
  'LogInByUser',
  'LogIn',
  'LogOut',
  'ValidateSession',
  'ZQLQuery',
  'BatchQuery',
  'EnrolAgent',
  'RequestConsoleAccess',
  'RequestTunnel',
  'IssueBusCredentials',
])
/** ZStack says `add` for what it takes in and `create` for what it makes, `destroy` for VMs: people needn't know which. */
const synonyms: Record<string, readonly string[]> = { create: ['add'], add: ['create'], delete: ['destroy'] }

const commands = new Map<string, Map<string, { resource: CatalogResource; apis: CatalogApi[] }>>()
for (const { api, resource: name } of catalog.apis) {
  const resource = catalog.resources[name]
  if (elsewhere.has(api.api) || resource === undefined) continue
  const nouns = commands.get(api.verb) ?? new Map<string, { resource: CatalogResource; apis: CatalogApi[] }>()
  commands.set(api.verb, nouns)
  const command = nouns.get(resource.noun) ?? { resource, apis: [] }
  nouns.set(resource.noun, command)
  command.apis.push(api)
}

export const verbs = (): string[] => [...commands.keys()]

/** The commands of a verb, synonyms included. */
export function commandsOf(verb: string): Command[] {
  const found: Command[] = []
  for (const same of [verb, ...(synonyms[verb] ?? [])]) {
    for (const [noun, command] of commands.get(same) ?? [])
      if (!found.some((c) => c.noun === noun)) found.push({ verb, noun, ...command })
  }
  return found
}

/** One may ask for what one expects to be several. */
export const pluralOf = (noun: string) => (noun.endsWith('s') ? `${noun}es` : `${noun}s`)

/** The resource that a noun, its plural or a table's name means. */
export const resourceNamed = (noun: string): CatalogResource | undefined =>
  Object.values(catalog.resources).find((one) => one.noun === noun || pluralOf(one.noun) === noun || one.name === noun)

/** The API that knows all these parameters. Throws `invalid-argument` where none does. */
export function apiFor(command: Command, given: readonly string[]): CatalogApi {
  const found = command.apis.find((api) => {
    const known = new Set(flagsOf(api, command.resource).map((flag) => flag.param))
    return given.every((param) => known.has(param))
  })
  if (found) return found
  throw new SkerryError('invalid-argument', `these flags do not belong together: ${given.join(', ')}`)
}

/** Table columns of what an API answers. */
export const columnsOf = (api: CatalogApi): readonly string[] =>
  api.answers === undefined ? [] : (catalog.resources[api.answers]?.columns ?? [])
