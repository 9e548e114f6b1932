/** How fast a volume may be: as its offering says, or a call since. Pure. Bytes and operations per second. */
import { type kvmDesired, qosOfParam, qosOfTag, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

type Qos = kvmDesired.VolumeQos
type Limit = keyof Qos

export const directions = {
  total: ['totalBytesPerSec', 'totalIops'],
  read: ['readBytesPerSec', 'readIops'],
  write: ['writeBytesPerSec', 'writeIops'],
} as const satisfies Record<string, readonly Limit[]>
type Direction = keyof typeof directions

export const qosOf = (volume: Readonly<Row>): Qos => (volume['qos'] as Qos | null | undefined) ?? {}

/** As rows and documents have it: nothing where nothing is limited. */
export const orNull = (qos: Qos): Qos | null => (Object.keys(qos).length > 0 ? qos : null)

/** Throws `invalid-argument` where the sum of both directions is limited beside one of them: no hypervisor does both. */
function needOneKind(qos: Qos, who: string, about: Row): Qos {
  for (const [sum, ...each] of [
    ['totalBytesPerSec', 'readBytesPerSec', 'writeBytesPerSec'],
    ['totalIops', 'readIops', 'writeIops'],
  ] as const) {
    const beside = each.find((limit) => qos[limit] !== undefined)
    if (qos[sum] === undefined || beside === undefined) continue
    const what = sum === 'totalIops' ? 'operations' : 'bandwidth'
    throw new SkerryError(
      'invalid-argument',
      `${who} would limit the ${what} of both directions together and of one: take one of the two away first`,
      { ...about, limits: qos as Row },
    )
  }
  return qos
}

/** `tag`: `<name>::<limit>`, as a disk or instance offering has it; undefined: it is about something else. */
export function limitOfTag(tag: string): { limit: Limit; value: number } | undefined {
  const [name, text] = tag.split('::') as [string, string]
  const limit = (qosOfTag as Record<string, Limit>)[name]
  const value = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : Number.NaN
  return limit && { limit, value: Number.isSafeInteger(value) ? value : Number.NaN }
}

function ofTags(graph: Graph, uuid: unknown): Qos {
  const found = [...graph.by('tag', 'resourceUuid', uuid)].flatMap((key) => {
    const row = graph.get('tag', key)!
    const said = row['type'] === 'System' ? limitOfTag(row['tag'] as string) : undefined
    return said ? [[said.limit, said.value] as const] : []
  })
  const offering = graph.get('diskOffering', uuid as string) ?? graph.get('instanceOffering', uuid as string)
  return needOneKind(Object.fromEntries(found), `offering ${offering?.['name']}`, { offeringUuid: uuid })
}

/** What a new volume has of its offering; the first that limits anything counts. */
export function offeredQos(graph: Graph, ...offeringUuids: unknown[]): Qos | null {
  for (const uuid of offeringUuids) {
    const qos = uuid ? orNull(ofTags(graph, uuid)) : null
    if (qos) return qos
  }
  return null
}

/** What parameters of SetVolumeQos make of it. Throws `invalid-argument`. */
export function limited(volume: Readonly<Row>, params: Row): Qos {
  const named = Object.entries(qosOfParam).flatMap(([param, limit]) =>
    params[param] === undefined ? [] : [[limit, params[param]] as const],
  )
  const short = params['volumeBandwidth'] as number | undefined
  const [about] = directions[(params['mode'] as Direction | undefined) ?? 'total']
  const set: Qos = { ...Object.fromEntries(named), ...(short === undefined ? {} : { [about]: short }) }
  if (Object.keys(set).length === 0)
    throw new SkerryError('invalid-argument', `say at least one of volumeBandwidth, ${Object.keys(qosOfParam).join(', ')}`, {
      uuid: volume['uuid'],
    })
  return needOneKind({ ...qosOf(volume), ...set }, `volume ${volume['name']}`, { uuid: volume['uuid'] })
}

/** What is left without the limits of these: both directions together, unless it says otherwise. */
export function unlimited(volume: Readonly<Row>, mode: unknown): Qos {
  const gone: readonly Limit[] =
    mode === 'all' ? Object.values(directions).flat() : directions[(mode as Direction | undefined) ?? 'total']
  return Object.fromEntries(Object.entries(qosOf(volume)).filter(([limit]) => !gone.includes(limit as Limit)))
}
