/** What may be set of a listener: system tags of it, each with a form and a default (zstack-core, Appendix B, loadBalancer). Pure. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

const number = (min: number, max: number) => (text: string) =>
  /^[0-9]{1,8}$/.test(text) && Number(text) >= min && Number(text) <= max
const word =
  (...words: string[]) =>
  (text: string) =>
    words.includes(text)

/** By name: the default, and whether a value is one. */
const SETTINGS = {
  connectionIdleTimeout: ['60', number(1, 2_000_000)],
  maxConnection: ['200000', number(1, 10_000_000)],
  balancerAlgorithm: ['roundrobin', word('weightroundrobin', 'roundrobin', 'leastconn', 'source')],
  healthCheckTarget: [
    'tcp:default',
    (text: string) => {
      const port = /^(?:tcp|http):(default|[0-9]{1,5})$/.exec(text)?.[1]
      return text === 'none' || port === 'default' || (port !== undefined && Number(port) >= 1 && Number(port) <= 65_535)
    },
  ],
  /** method, path, and which answers are good */
  healthCheckParameter: [
    'HEAD:/:http_2xx,http_3xx',
    (text: string) => /^(GET|HEAD):\/[A-Za-z0-9\-/.%?#&]{0,255}:http_[1-5]xx(,http_[1-5]xx){0,4}$/.test(text),
  ],
  healthyThreshold: ['2', number(1, 1_000)],
  unhealthyThreshold: ['6', number(1, 1_000)],
  healthCheckInterval: ['5', number(1, 1_000)],
  healthCheckTimeout: ['2', number(1, 1_000)],
  sessionPersistence: ['disable', word('disable', 'iphash', 'insert', 'rewrite')],
  sessionIdleTimeout: ['300', number(30, 3_600)],
  cookieName: ['SKERRY', (text: string) => /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(text)],
  httpMode: ['http-server-close', word('http-keep-alive', 'http-server-close', 'httpclose')],
  accessControlStatus: ['disable', word('enable', 'disable')],
} as const satisfies Record<string, readonly [string, (text: string) => boolean]>

export type Setting = keyof typeof SETTINGS
export type Settings = Record<Setting, string>
const names = Object.keys(SETTINGS) as Setting[]

export const settingOf = (tag: string): { name: Setting; value: string } | undefined => {
  const at = tag.indexOf('::')
  const name = tag.slice(0, at) as Setting
  return at > 0 && names.includes(name) ? { name, value: tag.slice(at + 2) } : undefined
}

/** Throws `invalid-argument` where the tag says nothing that a listener could be. */
export function checkListenerTag(tag: string, field: string): void {
  const setting = settingOf(tag)
  if (!setting || SETTINGS[setting.name][1](setting.value)) return
  throw new SkerryError('invalid-argument', `invalid field[${field}]: ${setting.name} can't be ${setting.value}`, {
    ...{ field, tag, default: SETTINGS[setting.name][0] },
  })
}

/** Throws where two of these say the same thing of a listener. */
export function checkListenerTagsTogether(tags: readonly string[], field: string): void {
  const said = tags.flatMap((tag) => settingOf(tag)?.name ?? [])
  const twice = said.find((name, at) => said.indexOf(name) !== at)
  if (twice) throw new SkerryError('invalid-argument', `invalid field[${field}]: ${twice} is said twice`, { field, tag: twice })
}

/** Tags of a listener that set something, by what they set. */
export function tagsOf(graph: Graph, listener: unknown): Map<Setting, Readonly<Row>> {
  const found = new Map<Setting, Readonly<Row>>()
  for (const k of [...graph.by('tag', 'resourceUuid', listener)].sort()) {
    const tag = graph.get('tag', k)!
    const setting = tag['type'] === 'System' ? settingOf(tag['tag'] as string) : undefined
    if (setting) found.set(setting.name, tag)
  }
  return found
}

export function settingsOf(graph: Graph, listener: unknown): Settings {
  const tags = tagsOf(graph, listener)
  return Object.fromEntries(
    names.map((name) => [name, settingOf((tags.get(name)?.['tag'] as string | undefined) ?? '')?.value ?? SETTINGS[name][0]]),
  ) as Settings
}

/** What a call changes, over what is set by now. */
export function changedSettings(params: Row, now: Settings): Partial<Settings> {
  const changed: Partial<Settings> = {}
  for (const name of names) if (params[name] !== undefined) changed[name] = String(params[name])
  if (params['aclStatus'] !== undefined) changed.accessControlStatus = String(params['aclStatus'])
  const [kind, port = 'default'] = (changed.healthCheckTarget ?? now.healthCheckTarget).split(':')
  if (params['healthCheckProtocol'] !== undefined && kind !== params['healthCheckProtocol'])
    changed.healthCheckTarget = `${params['healthCheckProtocol']}:${port}`
  const asked = ['healthCheckMethod', 'healthCheckURI', 'healthCheckHttpCode'].map((field) => params[field])
  if (asked.some((value) => value !== undefined)) {
    const parts = partsOf(now.healthCheckParameter)
    const [method, path, codes] = asked as (string | undefined)[]
    changed.healthCheckParameter = [method ?? parts.method, path ?? parts.path, codes ?? parts.codes].join(':')
  }
  for (const [name, value] of Object.entries(changed)) checkListenerTag(`${name}::${value}`, name)
  return changed
}

export function partsOf(parameter: string): { method: 'GET' | 'HEAD'; path: string; codes: string } {
  const [, method, path, codes] = /^(GET|HEAD):(\/.*):([^:]*)$/.exec(parameter)!
  return { method: method as 'GET' | 'HEAD', path: path!, codes: codes! }
}
