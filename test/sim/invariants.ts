/** What must hold at every moment, whatever goes wrong. Each gives what is wrong, in words. */
import { OWNER, type Row } from '@skerry/contract'
import { DISK_BYTES, MACHINE } from './host.ts'
import type { SimSite } from './site.ts'
import { QUOTA, type SimWorld } from './world.ts'

/** Of memory, a host keeps so much for itself (kvm.reservedMemory). */
const RESERVED_BYTES = 1024 ** 3

export type Graph = NonNullable<SimSite['controllers']['running']>['controller']['state']['graph']

export const rowsOf = (graph: Graph, table: string) => [...graph.rows(table)] as [string, Row][]

function* twice(what: string, values: Iterable<unknown>): Generator<string> {
  const seen = new Set<unknown>()
  for (const value of values) {
    if (seen.has(value)) yield `${what} ${value} is there twice`
    seen.add(value)
  }
}

/** Of the graph, after every commit. */
export function* alwaysInGraph(graph: Graph, world: SimWorld): Generator<string> {
  const nics = rowsOf(graph, 'vmNic').map(([, nic]) => nic)
  yield* twice(
    'address',
    nics.map((nic) => `${nic['l3NetworkUuid']}:${nic['ip']}`),
  )
  yield* twice(
    'MAC',
    nics.map((nic) => nic['mac']),
  )
  // Users name each thing they make as nothing else: made twice, one call was carried out twice.
  for (const table of ['vmInstance', 'l2Network', 'volumeSnapshot', 'host'])
    yield* twice(
      `${table} called`,
      rowsOf(graph, table).map(([, row]) => row['name']),
    )
  yield* oversold(graph)
  const used = usage(graph, world.tenant.uuid)
  for (const [name, limit] of Object.entries(QUOTA))
    if (used[name as keyof typeof QUOTA] > limit)
      yield `the tenant has ${used[name as keyof typeof QUOTA]} of ${name}, and may have ${limit}`
}

function* oversold(graph: Graph): Generator<string> {
  for (const [key, host] of rowsOf(graph, 'host')) {
    if (host['availableCpuCapacity'] !== null && (host['availableCpuCapacity'] as number) < 0)
      yield `host ${key} is oversold of CPUs`
    if (host['status'] === 'Connected' && (host['availableMemoryCapacity'] as number) < RESERVED_BYTES)
      yield `host ${key} is oversold: ${host['availableMemoryCapacity']} bytes of memory are left for itself`
  }
  // A disk that became smaller, or was filled by others, may have less than nothing left.
  for (const [key, row] of rowsOf(graph, 'localStorageHost'))
    if (row['totalCapacity'] === DISK_BYTES && (row['availableCapacity'] as number) < 0)
      yield `localStorageHost ${key} is oversold`
}

const OFF: readonly unknown[] = ['Created', 'Stopped', 'Destroyed', 'Destroying', 'Expunging']

/** Of what an account has a quota for: counted row by row, as nobody else does. */
function usage(graph: Graph, account: string): Record<keyof typeof QUOTA, number> {
  const owned = (table: string) => rowsOf(graph, table).flatMap(([, row]) => (row[OWNER] === account ? [row] : []))
  const vms = owned('vmInstance')
  const taking = vms.filter((vm) => !OFF.includes(vm['state']))
  const volumes = owned('volume').filter((volume) => volume['status'] !== 'Deleted')
  const ours = new Set(owned('volume').map((volume) => volume['uuid']))
  return {
    'vm.num': taking.length,
    'vm.totalNum': vms.filter((vm) => vm['state'] !== 'Destroyed').length,
    'vm.memorySize': taking.reduce((sum, vm) => sum + (vm['memorySize'] as number), 0),
    'volume.data.num': volumes.filter((volume) => volume['type'] === 'Data').length,
    'snapshot.volume.num': rowsOf(graph, 'volumeSnapshot').filter(([, row]) => ours.has(row['volumeUuid'])).length,
  }
}

/** Of the machines, whenever they are looked at. What a host runs that was given up, it runs for nobody. */
export function* alwaysOnMachines(site: SimSite): Generator<string> {
  const running = site.hosts
    .filter(({ givenUp }) => !givenUp)
    .flatMap(({ name, machine }) =>
      machine.libvirt.inventory().flatMap(({ uuid, state, xml }) => (state === 'running' ? [{ name, uuid, xml }] : [])),
    )
  yield* twice(
    'guest that runs,',
    running.map(({ uuid }) => uuid),
  )
  const inAll = (pattern: RegExp) =>
    running.flatMap(({ xml }) => [...new Set([...xml.matchAll(pattern)].map(([, found]) => found!))])
  yield* twice('MAC of running guests', inAll(/<mac address=["']([^"']+)["']/g))
  yield* twice(
    'disk of running guests',
    inAll(/<source file=["']([^"']+)["']/g).filter((file) => file.endsWith('.qcow2') && file.includes('/primary/')),
  )
  for (const { name } of site.hosts) {
    const bytes = running
      .filter((guest) => guest.name === name)
      .reduce((sum, { xml }) => sum + Number(/<memory unit="b">(\d+)</.exec(xml)![1]), 0)
    if (bytes > MACHINE.memoryBytes - RESERVED_BYTES) yield `guests with ${bytes} bytes of memory run on ${name}`
  }
}
