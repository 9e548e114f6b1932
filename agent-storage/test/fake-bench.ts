/** A storage agent on a machine in memory, with a user's own image on its disk. */
import type { Bus } from '@skerry/bus'
import { type FakeHost, fakeHost } from '@skerry/host'
import { bench } from './bench.ts'

export const USER_IMAGE = '/data/home/base.qcow2'

/** `on`: whose bus the agent is on; default: none. */
export async function fakeBench(on?: { bus: Bus; agentUuid: string }) {
  const host: FakeHost = fakeHost()
  host.disk.makeDir('/data', 0o755)
  const b = await bench(host, '/data/t', { ...(on ? { on } : {}) })
  const put = (path: string, data: Uint8Array | string) =>
    host.disk.put(path, typeof data === 'string' ? new TextEncoder().encode(data) : data)
  return {
    host,
    b,
    put,
    exists: (path: string) => host.disk.files.has(path) || host.disk.folders.has(path),
    /** Files of the pools. */
    ours: () => [...host.disk.files.keys()].filter((p) => p.startsWith('/data/') && !p.includes('/ledger/')).sort(),
    /** A stand-alone qcow2 as a user's own file. */
    async userImage(path = USER_IMAGE, sizeBytes = 16 * 1024 ** 2) {
      host.disk.makeDir('/data/home', 0o755)
      await host.qemuImg.create({ path, format: 'qcow2', sizeBytes })
      return writeOut(host, path)
    },
    importImage: (uuid: string, over: Record<string, unknown> = {}) =>
      b.run('image', 'download', uuid, {
        storePath: b.store,
        url: `file://${USER_IMAGE}`,
        format: 'qcow2',
        checksum: null,
        ...over,
      }),
  }
}

/** The fake qemu-img makes sparse files; this one gets all its bytes, so that it can be read and hashed. */
export function writeOut(host: FakeHost, path: string): Uint8Array {
  const file = host.disk.files.get(path)
  const bytes = new Uint8Array(file?.sizeBytes ?? 0)
  bytes.set(file?.data ?? [])
  host.disk.put(path, bytes)
  return bytes
}
