/** Strategies as offerings name them, and who is asked for one. */
import type { Graph } from '@skerry/graph'
import type { PluginsPort } from '../workflows/world.ts'

/** `<plugin>:<strategy>` */
export function pluginOf(strategy: string | undefined): { plugin: string; strategy: string } | undefined {
  const [, plugin, name] = /^([^:]+):(.+)$/.exec(strategy ?? '') ?? []
  return plugin && name ? { plugin, strategy: name } : undefined
}

/** What a strategy is asked with. `plugins` absent: none is loaded. */
export interface Asking {
  graph: Graph
  plugins?: PluginsPort
}
