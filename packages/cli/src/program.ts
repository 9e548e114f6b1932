/**
 * The command tree. Only what the command line asks for is built, and commands load their code when they run, so that
 * `skerry --help` stays quick.
 */
import { SKERRY_VERSION } from '@skerry/contract/routes'
import { Command, Option } from 'commander'
import { addFixedCommands } from './fixed.ts'
import { type Flag, flagsOf, subjectOf } from './flags.ts'
import type { Io } from './io.ts'
import { type Format, formats } from './output.ts'
import { commandsOf, pluralOf, type Command as Verb, verbs } from './verbs.ts'

/** What a command was doing, for its error; and the exit code that it chose itself. */
export interface Outcome {
  doing: string
  exitCode?: number
}

export const collect = (value: string, before: string[] = []): string[] => [...before, value]

/** Options of every command that talks to a controller. */
export function withGlobals(command: Command): Command {
  return command
    .option('--context <name>', 'where to talk to (skerry login makes contexts)')
    .addOption(new Option('-o, --output <format>', 'form of the result').choices(formats).default('table'))
}

/** Flags of the call itself; the API's parameters can't have these names. */
const reserved = new Set([
  'context',
  'output',
  'wait',
  'dry-run',
  'if-plan',
  'idempotency-key',
  'yes',
  'help',
  'password-file',
  'file',
])

function optionOf(flag: Flag): Option {
  const choices = flag.choices.length > 0 ? ` (${flag.choices.join(', ')})` : ''
  const hints: Record<Flag['kind'], string> = {
    text: '',
    number: 'number, sizes such as 512M',
    boolean: 'true or false',
    list: 'repeated, or a,b,c',
    map: 'key=a,b, repeated',
    pairs: 'key=value, repeated',
    password: 'in words; seen by everyone on this machine: rather use a file',
    json: 'JSON',
  }
  const description = `${[hints[flag.kind], flag.required ? 'required' : ''].filter(Boolean).join('; ')}${choices}`.trim()
  if (flag.kind === 'boolean') return new Option(`--${flag.name} [boolean]`, description).preset('true').argParser(collect)
  return new Option(`--${flag.name} <value>`, description).argParser(collect)
}

/** Flags of all APIs behind a command, each once. */
function allFlags(verb: Verb): Flag[] {
  const flags = new Map<string, Flag>()
  for (const api of verb.apis)
    for (const flag of flagsOf(api, verb.resource))
      if (!reserved.has(flag.name) && !flags.has(flag.name)) flags.set(flag.name, flag)
  return [...flags.values()]
}

/** What may stand in a file, so that it is in no process list. */
const isPassword = ({ param, kind }: Flag) => param === 'password' || kind === 'password'

const camel = (name: string) => name.replace(/-([a-z0-9])/g, (_, c: string) => c.toUpperCase())

async function given(io: Io, flags: readonly Flag[], options: Record<string, unknown>): Promise<Map<string, readonly string[]>> {
  const typed = new Map<string, readonly string[]>()
  for (const flag of flags) {
    const value = options[camel(flag.name)]
    if (Array.isArray(value)) typed.set(flag.param, value.map(String))
    const file = isPassword(flag) ? options[camel(`${flag.name}-file`)] : undefined
    if (typeof file === 'string') typed.set(flag.param, [(await io.readFile(file)).replace(/\r?\n$/, '')])
  }
  return typed
}

/** An image's bytes may come from here instead of from a URL. */
const takesFile = (verb: Verb) => verb.apis.some(({ api }) => api === 'AddImage')

function addCall(parent: Command, io: Io, verb: Verb, outcome: Outcome): void {
  const [api] = verb.apis
  if (api === undefined) return
  const flags = allFlags(verb)
  const command = withGlobals(parent.command(verb.noun).description(verb.apis.map(({ summary }) => summary).join(' · ')))
  const subject = subjectOf(api, verb.resource)?.name
  if (subject !== undefined)
    command.argument(subject === 'name' ? '[name]' : api.path.includes(`{${subject}}`) ? '<name|uuid>' : '[name|uuid]')
  for (const flag of flags) command.addOption(optionOf(flag))
  for (const { name } of flags.filter(isPassword))
    command.option(`--${name}-file <path>`, 'so that the password is in no process list')
  if (takesFile(verb)) command.option('--file <path>', 'send this file; again after a break: goes on where it was')
  if (!api.sync) {
    command.option('--wait', 'follow the job to its end').option('--dry-run', 'show what would happen, change nothing')
    if (api.method === 'DELETE') command.option('-y, --yes', 'ask nothing')
    command
      .option('--if-plan <hash>', 'do what a dry run showed, or nothing')
      .option('--idempotency-key <key>', 'the same key again answers the first job')
  }
  command.action(async (...args: unknown[]) => {
    const options = command.opts<{ output: Format; file?: string }>()
    const named = subject === undefined ? undefined : (args[0] as string | undefined)
    outcome.doing = `cannot ${verb.verb} ${verb.noun}${named === undefined ? '' : ` ${named}`}`
    const typed = { subject: named, given: await given(io, flags, options) }
    if (typeof options.file === 'string' && takesFile(verb))
      return (await import('./commands/upload.ts')).upload(io, verb, typed, { ...options, file: options.file })
    const { runCall } = await import('./commands/call.ts')
    await runCall(io, verb, typed, options)
  })
}

function addGet(parent: Command, io: Io, verb: Verb, outcome: Outcome): void {
  const command = withGlobals(
    parent
      .command(verb.noun)
      .alias(pluralOf(verb.noun))
      .description(verb.apis[0]?.summary ?? '')
      .argument('[name|uuid]'),
  )
    .option('-q, --query <condition>', "such as 'state=Running', 'name~=web%', 'vmNics.l3Network.name=lan'; repeated", collect)
    .option('--limit <n>', 'at most so many')
    .option('--start <n>', 'skip so many')
    .option('--sort <field>', '+field or -field')
    .option('--fields <list>', 'only these')
    .option('--columns <list>', 'of the table, such as name,state,vmNics.ip')
    .option('--count', 'only how many')
    .option('--at <time>', 'as it was then: a time (2026-11-23T12:00:00Z) or a sequence of the log')
  command.action(async (subject: string | undefined) => {
    outcome.doing = `cannot get ${verb.noun}${subject === undefined ? '' : ` ${subject}`}`
    const { get } = await import('./commands/get.ts')
    await get(io, verb.resource, subject, command.opts())
  })
}

/** Workflows are no resource: nobody makes or changes them. */
function addGetWorkflows(parent: Command, io: Io, outcome: Outcome): void {
  const command = withGlobals(
    parent
      .command('workflow')
      .alias('workflows')
      .description('What jobs do, step by step')
      .argument('[name]', 'such as vm.create'),
  ).option('--mermaid', 'with a name: drawn, as a Mermaid flowchart')
  command.action(async (name: string | undefined) => {
    outcome.doing = `cannot get ${name === undefined ? 'workflows' : `workflow ${name}`}`
    await (await import('./commands/workflows.ts')).workflows(io, name, command.opts())
  })
}

function addVerb(program: Command, io: Io, verb: string, o: { build: boolean; outcome: Outcome }): void {
  const found = commandsOf(verb)
  const parent = program.command(verb).description(found.map(({ noun }) => noun).join(', '))
  if (!o.build) return
  for (const one of found) {
    if (one.apis.every((api) => api.query)) addGet(parent, io, one, o.outcome)
    else addCall(parent, io, one, o.outcome)
  }
  if (verb === 'get') addGetWorkflows(parent, io, o.outcome)
}

const EXIT_CODES = 'ends with 0 ok, 1 failure, 2 usage, 3 not found, 4 conflict or illegal state, 5 unreachable, 6 not allowed'

/** The tree for one command line. `argv`: without node and script. */
export function buildProgram(io: Io, argv: readonly string[], outcome: Outcome): Command {
  const program = new Command('skerry')
  program
    .description('Skerry, the edge cloud: every resource, every verb')
    .version(SKERRY_VERSION)
    .showHelpAfterError('(skerry --help, skerry <verb> --help)')
    .addHelpText('after', `\n${EXIT_CODES}`)
  program
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text.replace(/\n$/, '')), writeErr: (text) => io.err(text) })
  const [first, second] = argv.filter((arg) => !arg.startsWith('-'))
  const asked = first === 'help' ? second : first
  addFixedCommands(program, io, outcome)
  for (const verb of verbs()) addVerb(program, io, verb, { build: verb === asked, outcome })
  return program
}
