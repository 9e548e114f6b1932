/** What a plugin is, and how one is asked: in a process of its own, with deadlines. */

export { type Found, findPlugins } from './find.ts'
export { type Health, type HostPorts, PluginHost } from './host.ts'
export { localProcess } from './local.ts'
export { checkedManifest, type Manifest } from './manifest.ts'
export * from './plugin.ts'
export { type PluginProcess, type ProcessHandlers, pluginChildPath, startProcess } from './process.ts'
