/** How fast volumes may be: calls, and the tags of offerings that new volumes take it from. Bytes and operations per second. */
import { z } from 'zod'
import { action, call, remove } from '../api.ts'
import type { VolumeQos } from '../desired/kvm.ts'

const bandwidth = z.number().int().min(1024).optional()
const iops = z.number().int().min(1).optional()

/** Parameters of SetVolumeQos, and what each says. */
export const qosOfParam = {
  totalBandwidth: 'totalBytesPerSec',
  readBandwidth: 'readBytesPerSec',
  writeBandwidth: 'writeBytesPerSec',
  totalIOPS: 'totalIops',
  readIOPS: 'readIops',
  writeIOPS: 'writeIops',
} as const satisfies Record<string, keyof VolumeQos>

/** Tags of offerings, and what each says of the volumes that are made by them. */
export const qosOfTag = {
  volumeTotalBandwidth: 'totalBytesPerSec',
  volumeReadBandwidth: 'readBytesPerSec',
  volumeWriteBandwidth: 'writeBytesPerSec',
  volumeTotalIops: 'totalIops',
  volumeReadIops: 'readIops',
  volumeWriteIops: 'writeIops',
} as const satisfies Record<string, keyof VolumeQos>

export const qosTagPatterns: readonly string[] = Object.keys(qosOfTag).map((name) => `${name}::{${name}}`)

export const setVolumeQos = action('SetVolumeQos', '/volumes/{uuid}/actions', {
  of: 'volume',
  workflow: 'volume.setQos',
  verb: 'set-qos',
  params: {
    /** what `volumeBandwidth` is about */
    mode: z.enum(['total', 'read', 'write']).optional(),
    volumeBandwidth: bandwidth,
    totalBandwidth: bandwidth,
    readBandwidth: bandwidth,
    writeBandwidth: bandwidth,
    totalIOPS: iops,
    readIOPS: iops,
    writeIOPS: iops,
  },
  summary: 'Say how fast a volume may be at most, of a running VM instance at once; what is not named stays as it is',
})
export const deleteVolumeQos = remove('DeleteVolumeQos', '/volumes/{uuid}/qos', 'volume', {
  workflow: 'volume.deleteQos',
  verb: 'delete-qos',
  params: { mode: z.enum(['total', 'read', 'write', 'all']).optional() },
  result: { kind: 'inventory', of: 'volume' },
  summary: 'Take limits from a volume: of the sum of both directions (the default), of one, or all',
})
export const getVolumeQos = call('GetVolumeQos', 'GET', '/volumes/{uuid}/qos', {
  verb: 'qos',
  params: { forceSync: z.boolean().optional() },
  result: {
    kind: 'fields',
    schema: z.object({
      volumeUuid: z.string(),
      volumeBandwidth: z.number(),
      volumeBandwidthRead: z.number(),
      volumeBandwidthWrite: z.number(),
      iopsTotal: z.number(),
      iopsRead: z.number(),
      iopsWrite: z.number(),
    }),
  },
  summary: 'How fast a volume may be at most; -1: as fast as it is',
})
