/** Every `skerry <verb> <noun>`, computed from the contract. Several APIs may stand behind one: the given flags decide. */
import { type Api, apis, type Resource, resources, SkerryError } from '@skerry/contract'
import { flagsOf } from './flags.ts'

export interface Command {
  verb: string
  noun: string
  resource: Resource
  /** in the contract's order; the first that knows all given flags is called */
  apis: readonly Api[]
}

/** Calls that have a command of their own (login, console, agent token) or that only machines make. */
const elsewhere = new Set(['LogInByAccount', 'LogOut', 'ValidateSession', 'EnrolAgent', 'RequestConsoleAccess'])
/** ZStack says `add` for what it takes in and `create` for what it makes, `destroy` for VMs: people needn't know which. */
const synonyms: Record<string, readonly string[]> = { create: ['add'], add: ['create'], delete: ['destroy'] }

const commands = new Map<string, Map<string, { resource: Resource; apis: Api[] }>>()
for (const { api, resource } of apis) {
  if (elsewhere.has(api.api)) continue
  const nouns = commands.get(api.verb) ?? new Map<string, { resource: Resource; apis: Api[] }>()
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

/** The API that knows all these parameters. Throws `invalid-argument` where none does. */
export function apiFor(command: Command, given: readonly string[]): Api {
  const found = command.apis.find((api) => {
    const known = new Set(flagsOf(api, command.resource).map((flag) => flag.param))
    return given.every((param) => known.has(param))
  })
  if (found) return found
  throw new SkerryError('invalid-argument', `these flags do not belong together: ${given.join(', ')}`)
}

/** Table columns of what an API answers. */
export function columnsOf(api: Api): readonly string[] {
  const of = api.result.kind === 'inventory' || api.result.kind === 'inventories' ? api.result.of : undefined
  return of === undefined ? [] : ((resources as Record<string, Resource>)[of]?.columns ?? [])
}
