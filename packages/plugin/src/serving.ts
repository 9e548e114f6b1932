/** Answers questions over a plugin's own code. It runs where the plugin does, in its process or beside a test, and loads nothing else. */
import type { Question } from './messages.ts'
import type { Plugin, PluginModule, StepCall, TagCall, VetCall } from './plugin.ts'

/** Thrown by `refuse`. */
export class Refusal extends Error {}

const refuse = (why: string): never => {
  throw new Refusal(String(why))
}

/** What a module brings, as data. Runs where the module runs. */
const told = ({
  name,
  version,
  summary,
  steps = [],
  strategies = {},
  storageStrategies = {},
  tags = [],
  observes,
}: Plugin): unknown => ({
  ...{ name, version, summary },
  steps: steps.map(({ do: _, undo, ...rest }) => ({ ...rest, undo: undo !== undefined })),
  strategies: Object.keys(strategies),
  storageStrategies: Object.keys(storageStrategies),
  tags: tags.map(({ check, vet, ...rest }) => ({ ...rest, check: check !== undefined, vet: vet !== undefined })),
  events: observes?.events ?? [],
})

/** `module`: what the plugin's file exports as default. */
export function serving(module: PluginModule): (question: Question) => Promise<unknown> {
  let plugin: Plugin | undefined
  return async (question) => {
    if (question.ask === 'load') {
      plugin = typeof module === 'function' ? await module(question.config) : module
      return told(plugin)
    }
    if (plugin === undefined) throw new Error('the plugin was asked before it was loaded')
    return answered(plugin, question)
  }
}

function ownOf<T>(strategies: Readonly<Record<string, T>> | undefined, name: string): T {
  const found = Object.hasOwn(strategies ?? {}, name) ? strategies![name] : undefined
  if (!found) throw new Error(`it has no strategy ${name}`)
  return found
}

async function answered(plugin: Plugin, question: Exclude<Question, { ask: 'load' }>): Promise<unknown> {
  if (question.ask === 'rank') {
    return ownOf(plugin.strategies, question.strategy)(question.call as never)
  }
  if (question.ask === 'rank-storages') return ownOf(plugin.storageStrategies, question.strategy)(question.call as never)
  if (question.ask === 'events') {
    await plugin.observes?.observe(question.events as never)
    return null
  }
  if (question.ask === 'step') {
    const step = plugin.steps?.find(({ workflow, name }) => workflow === question.workflow && name === question.name)
    if (!step) throw new Error(`it has no step ${question.name} of ${question.workflow}`)
    const call = { ...question.call, refuse } as unknown as StepCall
    return (await (question.undo ? step.undo?.(call) : step.do(call))) ?? null
  }
  const tag = plugin.tags?.find(({ resource, pattern }) => resource === question.resource && pattern === question.pattern)
  if (!tag) throw new Error(`it has no tag ${question.pattern}`)
  const call = { ...question.call, refuse } as unknown as TagCall & VetCall
  await (question.vet ? tag.vet?.(call) : tag.check?.(call))
  return null
}
