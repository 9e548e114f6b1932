/** Plugins of a controller: loaded at its start, asked through ports of the world, switched off and on while it runs. */
import { type Op, type Row, SkerryError } from '@skerry/contract'
import { type HostPorts, type Manifest, PluginHost } from '@skerry/plugin'
import { type StepEdit, withEdits } from '@skerry/workflow'
import type { State } from '../engine/state.ts'
import { resourceTypeOf, tableOfType } from '../engine/tags.ts'
import { factsOf } from '../tasks/facts.ts'
import { checkEventPattern } from '../webhooks/pattern.ts'
import { bookOf } from '../workflows/book.ts'
import { type DeclarationFile, type Declarations, readDeclarations } from '../workflows/declaration.read.ts'
import { actions } from '../workflows/index.ts'
import type { PluginsPort, WorkflowBook } from '../workflows/world.ts'
import { pluginOf } from './named.ts'
import { Observer } from './observer.ts'
import { rankHosts } from './rank.ts'
import { type Loaded, pluginUuid, rowOps, siteRowOps, siteWorkflowUuid } from './rows.ts'
import { stepEdits } from './steps.ts'
import { rankStorages } from './storages.ts'
import { type Tagger, vetTags } from './tags.ts'

/** A plugin that is to be loaded: its file's name, its configuration, and what begins its process. */
export type PluginSource = Pick<HostPorts, 'name' | 'config' | 'start'>

export interface PluginPorts {
  state: State
  timers: HostPorts['timers']
  now(): number
  log: { info(facts: Row, message: string): void; error(facts: Row, message: string): void }
  report(error: unknown, facts: Row): void
  /** workflows that an operator declares */
  workflows?: readonly DeclarationFile[]
}

export interface Plugins {
  port: PluginsPort
  book: WorkflowBook
  stop(): void
}

interface One extends Loaded {
  host: PluginHost
  edits: readonly StepEdit[]
}

/**
 * Loads them all at once. One that can't be loaded is reported and left out: the controller starts without it. Throws `invalid-argument`
 * where workflows are declared that can't be.
 */
export async function startPlugins(sources: readonly PluginSource[], p: PluginPorts): Promise<Plugins> {
  const { state } = p
  const { graph } = state
  const declarations = readDeclarations(p.workflows ?? [])
  let started = false
  const isOn = ({ name }: Loaded) => graph.get('plugin', pluginUuid(name))?.['state'] !== 'Disabled'
  const ones: One[] = await Promise.all(sources.map((source) => load(source, p, (one) => started && void follow(p, one))))
  refuseTwins(ones)
  const book = bookOver(ones, isOn, declarations)
  await keepRows(p, [...rowOps(graph, ones, p.now()), ...siteRowOps(graph, [...declarations.defined.values()], p.now())])
  started = true
  for (const one of ones) if (!isOn(one)) one.host.switch(false)
  const off = state.store.onCommit((commit) => {
    for (const op of commit.ops) {
      const one =
        op.t === 'plugin' && op.o === 'set' && 'state' in op.v ? ones.find(({ name }) => pluginUuid(name) === op.k) : undefined
      if (one) one.host.switch(isOn(one))
    }
  })
  const offEvents = tellObservers(p, ones, isOn)
  return {
    port: portOf(p, () => ones.filter(isOn)),
    book,
    stop() {
      off()
      offEvents()
      for (const { host } of ones) host.stop()
    },
  }
}

/** Tells plugins that observe of what is committed from now on. Gives what ends that. */
function tellObservers({ state, timers, report }: PluginPorts, ones: readonly One[], isOn: (one: One) => boolean): () => void {
  const observers = ones.flatMap((one) => {
    const patterns = one.manifest?.events ?? []
    const ports = {
      ...{ patterns, timers, isOn: () => isOn(one) },
      tell: (events: readonly Row[], ms: number) => one.host.ask({ ask: 'events', events }, ms),
      onDropped: (droppedEvents: number) =>
        void countDropped(state, one.name, droppedEvents).catch((error) => report(error, { plugin: one.name })),
    }
    return patterns.length === 0 ? [] : [new Observer(ports)]
  })
  const off = state.store.onCommit((commit, seq) => {
    if (observers.length === 0 || commit.facts.length === 0) return
    const facts = factsOf(commit, seq)
    for (const observer of observers) observer.take(facts)
  })
  return () => {
    off()
    for (const observer of observers) observer.stop()
  }
}

/** Without a fact: an observer must not make the events that it is told of. */
async function countDropped(state: State, name: string, droppedEvents: number): Promise<void> {
  await state.commit({ ops: [{ o: 'set', t: 'plugin', k: pluginUuid(name), v: { droppedEvents } }] }, { actor: 'system' })
}

/** The book with what plugins and files make of it. Nothing of a plugin goes on where that can't be. */
function bookOver(
  ones: readonly One[],
  isOn: (one: One) => boolean,
  { byWorkflow, defined, located }: Declarations,
): WorkflowBook {
  const parts = {
    current: () => ones.filter(isOn).flatMap(({ edits }) => edits),
    known: () => ones.flatMap(({ edits }) => edits),
    absent: (step: string) => ones.some(({ name, manifest }) => manifest === undefined && step.startsWith(`${name}-`)),
  }
  try {
    const definitions = new Map([...defined.values()].map((one) => [siteWorkflowUuid(one.define), one]))
    return bookOf({ ...parts, written: actions, declarations: byWorkflow, definitions })
  } catch (error) {
    for (const { host } of ones) host.stop()
    throw located(error)
  }
}

async function load(source: PluginSource, p: PluginPorts, onHealth: (one: One) => void): Promise<One> {
  const { log, report } = p
  const host = new PluginHost({
    ...source,
    timers: p.timers,
    log: (line) => log.info({ plugin: source.name, line }, 'a plugin said something'),
    onHealth: (health) => {
      one.health = health
      onHealth(one)
    },
  })
  const one: One = { name: source.name, manifest: undefined, health: host.health, host, edits: [] }
  try {
    const manifest = await host.load()
    const edits = stepEdits(manifest, { host, plugin: manifest.name, report })
    checkFits(manifest, edits)
    Object.assign(one, { name: manifest.name, manifest, edits })
    log.info({ plugin: manifest.name, version: manifest.version }, 'plugin loaded')
  } catch (error) {
    const cause = (error as Error).message
    one.health = { status: 'Degraded', cause }
    host.stop()
    log.error({ plugin: source.name, err: error }, 'a plugin could not be loaded; the controller goes on without it')
  }
  return one
}

/** Throws where it would change what isn't there. */
function checkFits({ tags, events }: Manifest, edits: readonly StepEdit[]): void {
  for (const edit of edits) {
    const action = actions.get(edit.workflow)
    if (!action) throw new SkerryError('invalid-argument', `there is no workflow ${edit.workflow}, see skerry get workflows`)
    withEdits(action.workflow, [edit])
  }
  for (const pattern of events) checkEventPattern(pattern, 'events')
  for (const { resource } of tags) tableOfType(resourceTypeOf(resource))
}

/** Of two with one name none counts: nobody could tell whose steps a job recorded. */
function refuseTwins(ones: One[]): void {
  const names = ones.map(({ name }) => name)
  for (const [i, one] of ones.entries()) {
    if (names.indexOf(one.name) === i && names.lastIndexOf(one.name) === i) continue
    one.host.stop()
    const cause = `two plugins are named ${one.name}`
    ones[i] = { ...one, name: `${one.name}-${i}`, manifest: undefined, edits: [], health: { status: 'Degraded', cause } }
  }
}

/** Also over a log that can only be read: then the rows stay as they are, and the plugins work. */
async function keepRows({ state, report }: PluginPorts, ops: Op[]): Promise<void> {
  if (ops.length === 0) return
  try {
    await state.commit({ ops }, { actor: 'system', urgent: true })
  } catch (error) {
    report(error, { doing: 'recording which plugins and workflows are there' })
  }
}

async function follow({ state, report }: PluginPorts, { name, health }: One): Promise<void> {
  const k = pluginUuid(name)
  const facts = [
    { noun: 'plugin', uuid: k, event: health.status === 'Ready' ? 'ready' : 'degraded', data: { cause: health.cause } },
  ]
  try {
    await state.commit({ ops: [{ o: 'set', t: 'plugin', k, v: { ...health } }], facts }, { actor: 'system' })
  } catch (error) {
    report(error, { plugin: name, doing: 'recording how a plugin is' })
  }
}

/** Who has the strategy. Throws `plugin-failed` where nobody does. */
function asked(
  on: readonly One[],
  named: string,
  kind: 'strategies' | 'storageStrategies',
): { host: PluginHost; strategy: string } {
  const { plugin, strategy = '' } = pluginOf(named) ?? {}
  const one = on.find(({ name, manifest }) => name === plugin && manifest?.[kind].includes(strategy))
  if (one) return { host: one.host, strategy }
  const message = `plugin ${plugin} failed: no plugin that is loaded and switched on has a strategy ${named}`
  throw new SkerryError('plugin-failed', message, { strategy: named })
}

function portOf({ state: { graph } }: PluginPorts, on: () => readonly One[]): PluginsPort {
  return {
    async rank(named, request) {
      const { host, strategy } = asked(on(), named, 'strategies')
      return rankHosts(graph, host, { strategy, request })
    },
    async rankStorages(named, request) {
      const { host, strategy } = asked(on(), named, 'storageStrategies')
      return rankStorages(graph, host, { strategy, request })
    },
    async vet(call, target) {
      const taggers = on().flatMap(({ host, manifest }): Tagger[] =>
        manifest?.tags.length ? [{ host, tags: manifest.tags }] : [],
      )
      if (taggers.length > 0) await vetTags(graph, taggers, call, target)
    },
  }
}
