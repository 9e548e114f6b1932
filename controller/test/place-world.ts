/** Sites of several hosts for placement, and settings of them. */
import type { Op, Row } from '@skerry/contract'
import { idOf } from '../src/configs/ids.ts'
import type { PlaceRequest } from '../src/place/host.ts'
import { base, GIB, id, makeWorld, type TestWorld, u } from './world.ts'
import { site } from './world-site.ts'

export const request: PlaceRequest = {
  cpuNum: 1,
  memoryBytes: GIB,
  diskBytes: GIB,
  l3NetworkUuids: [u.l3],
  imageZones: [u.zone],
}
export const set = (t: string, k: string, v: Row): Op => ({ o: 'set', t, k, v })
export const put = (t: string, k: string, v: Row): Op => ({ o: 'put', t, k, v })
export const host = (n: number) => (n === 1 ? u.host : id(`host${n}`))

/** Hosts h1 to hN, each with the same disk and as many VMs as said. */
export async function hosts(vms: readonly number[], o: Parameters<typeof site>[1] = {}): Promise<TestWorld> {
  const w = await makeWorld()
  await site(w, o)
  const { graph } = w.state
  const first = graph.get('host', u.host)!
  const part = graph.get('localStorageHost', `${u.ps}:${u.host}`)!
  const ops: Op[] = [set('host', u.host, { name: 'h1' })]
  vms.forEach((_, i) => {
    const uuid = host(i + 1)
    if (i === 0) return
    ops.push(put('host', uuid, { ...first, uuid, name: `h${i + 1}` }))
    ops.push(put('localStorageHost', `${u.ps}:${uuid}`, { ...part, uuid: `${u.ps}:${uuid}`, hostUuid: uuid }))
  })
  vms.forEach((count, i) => {
    for (let n = 0; n < count; n++) ops.push(vmOn(`${i + 1}-${n}`, host(i + 1)))
  })
  await w.commit({ ops })
  return w
}

export const vmOn = (name: string, hostUuid: string | null, more: Row = {}): Op =>
  put('vmInstance', id(name), {
    ...base(id(name), name),
    ...{ hostUuid, state: hostUuid ? 'Running' : 'Stopped', power: 'Stopped', cpuNum: 1, memorySize: GIB },
    ...{ zoneUuid: u.zone, clusterUuid: u.cluster, rootVolumeUuid: null, lastHostUuid: null, placementEpoch: 1 },
    ...more,
  })

export const setting = (category: string, name: string, value: string) =>
  put('globalConfig', idOf(`${category}.${name}`), { ...base(idOf(`${category}.${name}`), name), category, value, id: 1 })
export const ownSetting = (key: string, resourceUuid: string, value: string) =>
  put('resourceConfig', idOf(key, resourceUuid), { ...base(idOf(key, resourceUuid), key), key, resourceUuid, value })
