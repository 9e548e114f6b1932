/**
 * A VM that somebody made on a host without us becomes ours: the documents that say what it is, or all that stands in the way. Pure. Its
 * disks stay where they are, and get the name of a volume besides their own.
 */
import {
  ADMIN_ACCOUNT,
  bridgeName,
  deviceIdOf,
  isOwned,
  type kvmDesired,
  mac as macOf,
  type Op,
  OWNER,
  path as pathOf,
  type Row,
  resourceOf,
  SkerryError,
  type storageDesired,
  tapName,
  volumePath,
} from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { agentOn } from '../desired/agents-of.ts'
import { GRACE_MS } from '../desired/vm.ts'
import { checkQuotas } from '../identity/quota.ts'
import { chooseAddress } from '../place/address.ts'
import { fixedAddress, MAX_NICS } from '../workflows/vm.nic.check.ts'
import { routersFor } from '../workflows/vm.router.ts'
import { takeRoom } from '../workflows/volume.rows.ts'
import { type Adoption, adoptionOf } from './adopt.ts'

export interface OutsideCall {
  accountUuid?: string
  ips?: readonly string[]
}

/** A disk, and the volume that it becomes. */
export interface TakenDisk {
  target: string
  path: string
  volumeUuid: string
  spec: storageDesired.VolumeSpec
}

export interface OutsidePlan {
  kvmAgentUuid: string
  storageAgentUuid: string
  spec: kvmDesired.VmSpec
  disks: TakenDisk[]
}

interface Ask {
  graph: Graph
  orphan: Readonly<Row>
  machine: Required<Pick<kvmDesired.OutsideVm, 'cpuNum' | 'memoryBytes' | 'disks' | 'nics' | 'hindrances'>>
  call: OutsideCall
  /** Of volumes and cards: the same for the same name. */
  idOf(name: string): string
  hindrances: string[]
}

const POWERS: readonly unknown[] = ['Running', 'Paused', 'Stopped']

/** Throws `illegal-state` with everything that stands in the way, `not-found` of an account that is not there. */
export function outsidePlan(
  graph: Graph,
  orphan: Readonly<Row>,
  { call, idOf }: { call: OutsideCall; idOf(name: string): string },
): OutsidePlan {
  if (call.accountUuid !== undefined && !graph.get('account', call.accountUuid))
    throw new SkerryError('not-found', `there is no account ${call.accountUuid}`, {
      resource: 'account',
      uuid: call.accountUuid,
    })
  const machine = orphan['machine'] as Ask['machine'] | undefined
  if (!machine?.disks || !machine.nics || !machine.hindrances)
    throw refusal(orphan, ['its agent is too old to say what it consists of'])
  const hindrances = [...machine.hindrances]
  const ask: Ask = { graph, orphan, machine, call, idOf, hindrances }
  const storageAgentUuid = agentOn(graph, orphan['hostUuid'] as string | null, 'storage')
  if (!storageAgentUuid) hindrances.push('no storage agent answers for its host')
  const { power } = orphan['observed'] as { power?: string }
  if (!POWERS.includes(power)) hindrances.push(`it is ${power}, neither running nor off`)
  const disks = disksOf(ask)
  const nics = nicsOf(ask)
  if (hindrances.length > 0 || !storageAgentUuid) throw refusal(orphan, hindrances)
  return { kvmAgentUuid: orphan['agentUuid'] as string, storageAgentUuid, spec: specOf(ask, disks, nics), disks }
}

function refusal(orphan: Readonly<Row>, hindrances: readonly string[]): SkerryError {
  const message = `cannot adopt VM ${orphan['name']}: ${hindrances.join('; ')}`
  return new SkerryError('illegal-state', message, { orphanUuid: orphan['uuid'], hindrances: [...hindrances] })
}

function disksOf({ graph, orphan, machine, idOf, hindrances }: Ask): TakenDisk[] {
  return machine.disks.flatMap(({ target, path, format, sizeBytes }): TakenDisk[] => {
    if (!pathOf.safeParse(path).success) {
      hindrances.push(`the path of its disk ${target} has special characters`)
      return []
    }
    const storage = storageAround(graph, orphan['hostUuid'], path)
    if (!storage) {
      hindrances.push(
        `its disk ${path} is in no primary storage of its host (virsh blockcopy ${orphan['name']} ${target} <folder of one>/<file> --pivot brings it there while it runs)`,
      )
      return []
    }
    const poolUuid = storage['uuid'] as string
    if (['volumes', 'cache'].some((own) => path.startsWith(`${storage['url']}/${own}/`))) {
      hindrances.push(`its disk ${path} is among the volumes of primary storage ${storage['name']}`)
      return []
    }
    const volumeUuid = idOf(`disk-${target}`)
    const at = volumePath(storage['url'] as string, volumeUuid, format)
    const spec = { poolUuid, path: at, format, sizeBytes, backing: null, birth: 'exists' as const }
    return [{ target, path, volumeUuid, spec }]
  })
}

/** The storage on that host whose folder holds the file. */
function storageAround(graph: Graph, hostUuid: unknown, path: string): Readonly<Row> | undefined {
  for (const [, part] of graph.rows('localStorageHost')) {
    const storage = part['hostUuid'] === hostUuid ? graph.get('primaryStorage', part['primaryStorageUuid'] as string) : undefined
    if (storage && path.startsWith(`${storage['url']}/`)) return storage
  }
  return undefined
}

function nicsOf(ask: Ask): kvmDesired.VmSpec['nics'] {
  const { machine, call, hindrances } = ask
  if (machine.nics.length > MAX_NICS) hindrances.push(`it has more than ${MAX_NICS} cards`)
  if (call.ips && call.ips.length !== machine.nics.length)
    hindrances.push(`it has ${machine.nics.length} cards, and ${call.ips.length} addresses are given`)
  const networks = new Set<unknown>()
  return machine.nics.flatMap(({ mac, bridge }, i) => {
    const l3 = networkOn(ask, { mac, bridge, ip: call.ips?.[i] })
    if (!l3 || bridge === null) return []
    if (networks.has(l3['uuid'])) hindrances.push(`it has two cards in network ${l3['name']}`)
    networks.add(l3['uuid'])
    const ip = addressIn(ask, l3, call.ips?.[i])
    const nicUuid = ask.idOf(`nic-${i}`)
    if (!macOf.safeParse(mac).success || !isFree(ask, mac)) hindrances.push(`MAC address ${mac} is in use, or is none`)
    return ip === undefined ? [] : [{ nicUuid, mac, bridge, tap: tapName(nicUuid), ip }]
  })
}

/** Kept for this one only: another VM that nobody knows of may have the same. */
const isFree = ({ graph, orphan }: Ask, mac: string) => graph.get('usedMac', mac)?.['uuid'] === orphan['uuid']

interface Card {
  mac: string
  bridge: string | null
  ip: string | undefined
}

/** The network behind a card's bridge; undefined: there is none, or it can't be told which. */
function networkOn({ graph, orphan, hindrances }: Ask, { mac, bridge, ip }: Card): Readonly<Row> | undefined {
  const clusterUuid = graph.get('host', orphan['hostUuid'] as string)?.['clusterUuid'] as string
  const l2s = [...graph.rows('l2Network')].filter(
    ([uuid, l2]) => bridgeName(uuid) === bridge && (l2['attachedClusterUuids'] as string[]).includes(clusterUuid),
  )
  const l3s = l2s.flatMap(([uuid]) => [...graph.by('l3Network', 'l2NetworkUuid', uuid)].map((k) => graph.get('l3Network', k)!))
  const [l3, second] = ip === undefined ? l3s : l3s.filter((one) => holdsAddress(graph, one, ip))
  if (l3 && !second) return l3
  hindrances.push(
    second
      ? `its card ${mac} may be in network ${l3?.['name']} or ${second['name']}: give its address`
      : `its card ${mac} is on ${bridge === null ? 'no bridge' : `bridge ${bridge}`}, which no L3 network${ip === undefined ? '' : ` with the address ${ip}`} has here`,
  )
  return undefined
}

function holdsAddress(graph: Graph, l3: Readonly<Row>, ip: string): boolean {
  try {
    fixedAddress(graph, l3, ip)
    return true
  } catch (error) {
    // In use is told as such; only an address of another network tells that it is not this one.
    if (error instanceof SkerryError && error.code === 'invalid-argument') return false
    if (error instanceof SkerryError && error.code === 'in-use') return true
    throw error
  }
}

/** The address that is given, or the lowest free one, so that a plan shows what will be. */
function addressIn({ graph, hindrances }: Ask, l3: Readonly<Row>, ip: string | undefined): string | undefined {
  try {
    const chosen = ip === undefined ? chooseAddress(graph, l3['uuid'] as string, () => 0) : fixedAddress(graph, l3, ip)
    if (!chosen) hindrances.push(`network ${l3['name']} has no free address left`)
    return chosen?.ip
  } catch (error) {
    if (!(error instanceof SkerryError)) throw error
    hindrances.push(error.message)
    return undefined
  }
}

function specOf({ orphan, machine }: Ask, disks: readonly TakenDisk[], nics: kvmDesired.VmSpec['nics']): kvmDesired.VmSpec {
  const off = (orphan['observed'] as { power?: string }).power === 'Stopped'
  return {
    name: orphan['name'] as string,
    cpuNum: machine.cpuNum,
    memoryBytes: machine.memoryBytes,
    disks: disks.map(({ target, volumeUuid, spec }) => ({
      ...{ volumeUuid, path: spec.path, format: spec.format, target, boot: deviceIdOf(target) === 0 },
    })),
    nics,
    power: { state: off ? 'Stopped' : 'Running', cause: 'adopted', mode: 'grace', graceMs: GRACE_MS },
    placementEpoch: 1,
    autonomy: 'local',
  }
}

/** Its rows in, its orphan out, in one commit. Throws what `adoption` does, `no-primary-storage` and `quota-exceeded`. */
export function outsideAdoption(
  graph: Graph,
  orphan: Readonly<Row>,
  { plan, call, now }: { plan: OutsidePlan; call: OutsideCall; now: number },
): Adoption {
  const specs = new Map(plan.disks.map(({ volumeUuid, spec }) => [volumeUuid, spec]))
  const volumeOf = (uuid: string) => specs.get(uuid)!
  const { guards, ops } = adoptionOf(graph, orphan, { spec: plan.spec, volumeOf }, now)
  const owned = call.accountUuid === undefined ? ops : ops.map((op) => ownedBy(op, call.accountUuid!))
  if (call.accountUuid !== undefined) checkQuotas(graph, owned, new Set([call.accountUuid]))
  const host = orphan['hostUuid'] as string
  // One that runs has its networks at once, as one that is started.
  const networks = plan.spec.power.state === 'Running' ? owned.flatMap(networkOf) : []
  const routers = routersFor({ graph, now: () => now }, networks, host)
  // It lies there already, but what is promised to others may need the room.
  const room = plan.disks.flatMap(({ spec }) => {
    return takeRoom(graph, { hostUuid: host, primaryStorageUuid: spec.poolUuid }, spec.sizeBytes).guards
  })
  return { guards: [...guards, ...room, ...routers.guards], ops: [...owned, ...routers.ops] }
}

const networkOf = (op: Op): string[] => (op.o === 'put' && op.t === 'vmNic' ? [op.v['l3NetworkUuid'] as string] : [])

function ownedBy(op: Op, accountUuid: string): Op {
  const resource = resourceOf(op.t)
  if (op.o !== 'put' || !resource || !isOwned(resource)) return op
  return { ...op, v: { ...op.v, [OWNER]: accountUuid === ADMIN_ACCOUNT ? null : accountUuid } }
}
