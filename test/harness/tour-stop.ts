/** What a tour over every API is made of. */
import type { Row } from '@skerry/contract'

/** uuids of what was made so far, by name. */
export type Made = Record<string, string>

export interface Stop {
  api: string
  params(made: Made): Row
  /** name under which the uuid of the answer's inventory is kept */
  keep?: string
}

export const stop = (api: string, params: Row | ((made: Made) => Row) = {}, keep?: string): Stop => ({
  api,
  params: typeof params === 'function' ? params : () => params,
  ...(keep ? { keep } : {}),
})
/** Update, disable, enable, and both forms of the query. */
export const lookAfter = (noun: string, key: string, o: { state?: boolean; byUuid?: boolean } = {}): Stop[] => [
  stop(`Update${noun}`, (m) => ({ uuid: m[key], description: 'seen on the tour' })),
  ...(o.state === false
    ? []
    : ['disable', 'enable'].map((stateEvent) => stop(`Change${noun}State`, (m) => ({ uuid: m[key], stateEvent })))),
  stop(`Query${noun}`),
  ...(o.byUuid === false ? [] : [stop(`Query${noun}`, (m) => ({ uuid: m[key] }))]),
]
