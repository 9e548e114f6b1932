/** What is being typed: which values could stand there. Pure: the command tree says it, nobody is asked. */
import type { Command, Option } from 'commander'
import type { CatalogResource } from '../catalog.ts'
import { catalog } from '../contract-catalog.ts'
import { type Flag, flagsOf, subjectOf } from '../flags.ts'
import { commandsOf, resourceNamed, type Command as Verb } from '../verbs.ts'

export interface Candidate {
  value: string
  about?: string
}

/** Names of the resources of a table; `states`: only those in them. */
export interface Named {
  of: string
  states?: readonly string[]
}

export type Values = Named | { choices: readonly Candidate[] } | { anyOf: 'files' | 'contexts' | 'nothing' }

export interface Wanted {
  values: Values
  /** what stands before the part that is being typed: `--host=`, `lan,` */
  before: string
  /** the part that is being typed */
  typed: string
  /** more of the word is to follow */
  open?: boolean
}

const nothing: Values = { anyOf: 'nothing' }
const choices = (values: readonly string[]): Values => ({ choices: values.map((value) => ({ value })) })

interface Place {
  command: Command
  /** words that are no options and no commands */
  positionals: string[]
  used: Set<Option>
  /** the option whose value comes next */
  awaiting: Option | undefined
}

const optionFor = (command: Command, word: string): Option | undefined =>
  command.options.find(({ long, short }) => word === long || word === short)

const isCommand = (command: Command, word: string) =>
  command.commands.find((one) => one.name() === word || one.aliases().includes(word))

/** Where the words before the last one lead. */
function placeOf(program: Command, words: readonly string[]): Place {
  const place: Place = { command: program, positionals: [], used: new Set(), awaiting: undefined }
  for (const word of words) {
    if (place.awaiting !== undefined && !(place.awaiting.optional && word.startsWith('-'))) {
      place.awaiting = undefined
      continue
    }
    place.awaiting = undefined
    if (word.startsWith('-')) {
      const [name = ''] = word.split('=', 1)
      const option = optionFor(place.command, name)
      if (option) place.used.add(option)
      if (option && (option.required || option.optional) && !word.includes('=')) place.awaiting = option
      continue
    }
    const next = place.positionals.length === 0 ? isCommand(place.command, word) : undefined
    if (next) place.command = next
    else place.positionals.push(word)
  }
  return place
}

/** The contract's command behind a place in the tree. */
function verbOf({ command }: Place): Verb | undefined {
  const verb = command.parent?.name() ?? ''
  return commandsOf(verb).find(({ noun }) => noun === command.name())
}

/** The last of a list `a,b,c`. */
function inList(values: Values, before: string, typed: string): Wanted {
  const at = typed.lastIndexOf(',') + 1
  return { values, before: before + typed.slice(0, at), typed: typed.slice(at) }
}

/** `<vm>`, `<job>`, `<path>`: what a command of its own takes is said by the name of the place. */
function placeholder(name: string): Values {
  if (/^(path|file)$/.test(name)) return { anyOf: 'files' }
  const resource = resourceNamed(name)
  return resource?.listed ? { of: resource.name } : nothing
}

function flagValues(flag: Flag, before: string, typed: string): Wanted {
  const choice = flag.choices.length > 0 ? choices(flag.choices) : nothing
  if (flag.of !== undefined) {
    const values: Values = { of: flag.of }
    return flag.kind === 'list' ? inList(values, before, typed) : { values, before, typed }
  }
  if (flag.kind === 'boolean') return { values: choices(['true', 'false']), before, typed }
  if (flag.kind === 'list') return inList(choice, before, typed)
  if (flag.kind !== 'map') return { values: choice, before, typed }
  const at = typed.indexOf('=') + 1
  return at === 0 ? { values: nothing, before, typed } : inList(choice, before + typed.slice(0, at), typed.slice(at))
}

const fieldsOf = (resource: CatalogResource) => [...Object.keys(resource.fields), ...resource.lists]

/** `state=Run`: fields, then what the field may be. */
function condition(resource: CatalogResource, before: string, typed: string): Wanted {
  const [, field, operator] = /^([A-Za-z]+)(!=|=)/.exec(typed) ?? []
  if (field === undefined || operator === undefined)
    return { values: choices(fieldsOf(resource).map((one) => `${one}=`)), before, typed, open: true }
  const at = field.length + operator.length
  return { values: choices(resource.fields[field] ?? []), before: before + typed.slice(0, at), typed: typed.slice(at) }
}

/** Options of `get` that speak of fields. */
function ofFields(option: Option, resource: CatalogResource, o: { before: string; typed: string }): Wanted | undefined {
  const { before, typed } = o
  switch (option.attributeName()) {
    case 'query':
      return condition(resource, before, typed)
    case 'fields':
    case 'columns':
      return inList(choices(fieldsOf(resource)), before, typed)
    case 'sort':
      return { values: choices(Object.keys(resource.fields).flatMap((field) => [`+${field}`, `-${field}`])), before, typed }
    default:
      return undefined
  }
}

function optionValues(place: Place, option: Option, before: string, typed: string): Wanted {
  const verb = verbOf(place)
  const flags = verb?.apis.flatMap((api) => flagsOf(api, verb.resource)) ?? []
  const flag = flags.find(({ name }) => `--${name}` === option.long)
  if (flag) return flagValues(flag, before, typed)
  const fields = verb?.apis.every((api) => api.query) ? ofFields(option, verb.resource, { before, typed }) : undefined
  if (fields) return fields
  if (option.argChoices) return { values: choices(option.argChoices), before, typed }
  if (option.attributeName() === 'context') return { values: { anyOf: 'contexts' }, before, typed }
  const [, name = ''] = /[<[]([\w-]+)/.exec(option.flags) ?? []
  return { values: placeholder(name), before, typed }
}

/** Only those that the call would be accepted for, where the contract says so. */
function subjects(verb: Verb): Values {
  const [api] = verb.apis
  if (api === undefined) return nothing
  const { resource } = verb
  if (api.query) return { of: resource.name }
  const subject = subjectOf(api, resource)
  if (subject?.of === undefined) return nothing
  const states = subject.of === resource.name && resource.state === 'state' && api.allowed ? { states: api.allowed } : {}
  return { of: subject.of, ...states }
}

function argumentValues(place: Place): Values {
  const verb = verbOf(place)
  if (verb) return place.positionals.length === 0 ? subjects(verb) : nothing
  const argument = place.command.registeredArguments[place.positionals.length]
  if (argument === undefined) return nothing
  if (argument.argChoices) return choices(argument.argChoices)
  const name = argument.name()
  if (name === 'resource') return { choices: listedNouns() }
  const named = resourceNamed(place.positionals.at(-1) ?? '')
  return name === 'name' && named ? { of: named.name } : placeholder(name)
}

const listedNouns = (): Candidate[] =>
  Object.values(catalog.resources)
    .filter(({ listed }) => listed)
    .map(({ noun, summary }) => ({ value: noun, about: summary }))

const shortened = (text: string) => (text.length > 60 ? `${text.slice(0, 59)}…` : text)

function optionsOf({ command, used }: Place): Candidate[] {
  const verb = verbOf({ command } as Place)
  const repeatable = new Set(verb ? verb.apis.flatMap((api) => flagsOf(api, verb.resource)) : [])
  const again = new Set([...repeatable].filter(({ kind }) => kind === 'list' || kind === 'map').map(({ name }) => `--${name}`))
  return command.options
    .filter((option) => !option.hidden && option.long && (!used.has(option) || again.has(option.long)))
    .map(({ long, description }) => ({ value: long!, ...(description ? { about: shortened(description) } : {}) }))
}

/** `words`: without `skerry`; the last one is being typed. `program` has been built for them. */
export function wantedOf(program: Command, words: readonly string[]): Wanted {
  const typed = words.at(-1) ?? ''
  const place = placeOf(program, words.slice(0, -1))
  const { awaiting, command } = place
  if (awaiting && !(awaiting.optional && typed.startsWith('-'))) return optionValues(place, awaiting, '', typed)
  const [, long, rest] = /^(--[\w-]+)=(.*)$/.exec(typed) ?? []
  const option = long === undefined ? undefined : optionFor(command, long)
  if (option && rest !== undefined) return optionValues(place, option, `${long}=`, rest)
  if (typed.startsWith('-')) return { values: { choices: optionsOf(place) }, before: '', typed }
  if (command.commands.length === 0 || place.positionals.length > 0) return { values: argumentValues(place), before: '', typed }
  const below = command.commands.map((one) => ({ value: one.name(), about: shortened(one.description()) }))
  return { values: { choices: below }, before: '', typed }
}
