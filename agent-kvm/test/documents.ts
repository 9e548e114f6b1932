/** Documents as a controller sends them. */
import { specHash } from '@skerry/agent'
import { bridgeName, type Document, type Generation, type kvmDesired, type Tombstone, tapName } from '@skerry/contract'

export const id = (n: number | string) => (typeof n === 'string' ? n.repeat(32).slice(0, 32) : n.toString(16).padStart(32, '0'))

export const l2 = id('b')

export function vmSpec(n: string, over: Partial<kvmDesired.VmSpec> = {}): kvmDesired.VmSpec {
  return {
    name: `vm ${n}`,
    cpuNum: 1,
    memoryBytes: 64 * 1024 * 1024,
    disks: [{ volumeUuid: id('c'), path: `/var/lib/pool/${n}.raw`, format: 'raw', target: 'vda', boot: true }],
    nics: [
      { nicUuid: id(`d${n}`), mac: `fa:00:00:00:00:0${n}`, bridge: bridgeName(l2), tap: tapName(id(`d${n}`)), ip: '10.0.0.5' },
    ],
    power: { state: 'Running', cause: 'api', mode: 'grace', graceMs: 60_000 },
    placementEpoch: 1,
    autonomy: 'local',
    ...over,
  }
}

export const gen = (seq: number, incarnation = 1): Generation => ({ incarnation, seq })

export function doc(noun: 'vm' | 'bridge', uuid: string, seq: number, spec: Record<string, unknown>): Document {
  return { noun, uuid, schema: 1, generation: gen(seq), hash: specHash(spec), job: null, spec }
}
export const tomb = (noun: 'vm' | 'bridge', uuid: string, seq: number): Tombstone => ({
  noun,
  uuid,
  generation: gen(seq),
  job: null,
  tombstone: true,
})
