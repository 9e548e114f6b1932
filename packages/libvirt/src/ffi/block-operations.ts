/** What is done to the files of a running domain's disks. Flags: libvirt 9.0 libvirt-domain.h, libvirt-domain-snapshot.h. */
import type { Operation } from '../port.ts'
import type { Lane } from './connection.ts'
import { blockJob, iotuneParameters } from './layouts.ts'
import type { Pointer } from './native.ts'
import { type Handler, onDomain } from './operations.ts'

/** No metadata (4), disks only (16), files that are there (32), all or none (128). */
const SNAPSHOT_FLAGS = 4 | 16 | 32 | 128
const COMMIT_ACTIVE = 4
const ABORT = { abort: 0, pivot: 2 } as const
const RESIZE_BYTES = 1
const UNLIMITED = 0
const AFFECT_LIVE = 1

type BlockOperation = Extract<Operation, `domainBlock${string}` | 'domainSnapshotDisks' | 'domainSetBlockIoTune'>

const done = async (lane: Lane, uuid: string, act: (domain: Pointer) => Promise<unknown>): Promise<null> =>
  onDomain(lane, uuid, async (domain) => {
    await act(domain)
    return null
  })

export const blockOperations: { [K in Exclude<BlockOperation, 'domainBlockStats'>]: Handler<K> } = {
  domainSnapshotDisks: (lane, { uuid, xml }) =>
    done(lane, uuid, async (d) => {
      const snapshot = (await lane.call('virDomainSnapshotCreateXML', d, xml, SNAPSHOT_FLAGS)).returned as Pointer
      lane.native.callNow('virDomainSnapshotFree', snapshot)
    }),
  domainBlockPull: (lane, { uuid, disk, base }) =>
    done(lane, uuid, (d) => lane.call('virDomainBlockRebase', d, disk, base, UNLIMITED, 0)),
  domainBlockCommit: (lane, { uuid, disk, top, base }) =>
    done(lane, uuid, (d) => lane.call('virDomainBlockCommit', d, disk, base, top, UNLIMITED, COMMIT_ACTIVE)),
  domainBlockJob: (lane, { uuid, disk }) =>
    onDomain(lane, uuid, async (d) => {
      const { returned, outs } = await lane.call('virDomainGetBlockJobInfo', d, disk, 0)
      return returned === 0 ? null : blockJob(outs[0]!)
    }),
  domainBlockJobEnd: (lane, { uuid, disk, how }) =>
    done(lane, uuid, (d) => lane.call('virDomainBlockJobAbort', d, disk, ABORT[how])),
  domainBlockResize: (lane, { uuid, disk, sizeBytes }) =>
    done(lane, uuid, (d) => lane.call('virDomainBlockResize', d, disk, sizeBytes, RESIZE_BYTES)),
  domainSetBlockIoTune: (lane, { uuid, disk, iotune }) =>
    done(lane, uuid, (d) => {
      const { bytes, count } = iotuneParameters(iotune)
      return lane.call('virDomainSetBlockIoTune', d, disk, bytes, count, AFFECT_LIVE)
    }),
}
