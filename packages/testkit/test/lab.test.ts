import { once } from 'node:events'
import { link, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { inOrder, qemuArgv } from '../src/index.ts'
import { openDoor } from '../src/lab/door.ts'

const DEPS = `kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko
kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_ring.ko:
kernel/drivers/md/dm-flakey.ko: kernel/drivers/md/dm-mod.ko
kernel/drivers/md/dm-mod.ko:
`

describe('the lab’s modules', () => {
  test('come after those that they need, each once; a name may be written with either dash', () => {
    expect(inOrder(DEPS, ['dm_flakey', 'virtio_pci', 'virtio']).map((path) => path.split('/').at(-1))).toEqual([
      'dm-mod.ko',
      'dm-flakey.ko',
      'virtio_ring.ko',
      'virtio.ko',
      'virtio_pci.ko',
    ])
  })

  test('are all there, or it is said which is not', () => {
    expect(() => inOrder(DEPS, ['virtio_gone'])).toThrow('virtio_gone')
  })
})

describe('QEMU’s options', () => {
  const kernel = { vmlinuz: '/k/vmlinuz', initrd: '/k/initrd', modules: '/k/modules' }
  const valuesOf = (argv: string[], option: string) => argv.flatMap((word, i) => (argv[i - 1] === option ? [word] : []))

  test('give the machine’s own tree read only, and only the share to write', () => {
    const shares = valuesOf(qemuArgv({ dir: '/tmp/a,b', kernel }), '-virtfs')
    expect(shares.filter((share) => share.includes('readonly=on'))).toEqual([
      expect.stringContaining('path=/,mount_tag=root'),
      expect.stringContaining('path=/k/modules,mount_tag=modules'),
    ])
    expect(shares.filter((share) => !share.includes('readonly=on'))).toEqual([expect.stringContaining('path=/tmp/a,,b/share')])
  })

  test('have disks with the cache mode asked for, the clock asked for, and a network only when it is asked for', () => {
    const disks = [{ path: '/d', format: 'raw', cache: 'none' } as const, { path: '/e', format: 'qcow2' } as const]
    const argv = qemuArgv({ dir: '/tmp/x', kernel, disks, clock: new Date(0) })
    expect(valuesOf(argv, '-drive')).toEqual([
      'file=/d,format=raw,cache=none,if=virtio',
      'file=/e,format=qcow2,cache=writeback,if=virtio',
    ])
    expect(valuesOf(argv, '-rtc')).toEqual(['base=1970-01-01T00:00:00'])
    expect(valuesOf(argv, '-nic')).toEqual(['none'])
    const connected = qemuArgv({ dir: '/tmp/x', kernel, network: { forwards: [{ here: 1234, there: 80 }] } })
    expect(valuesOf(connected, '-netdev')).toEqual(['user,id=net,hostfwd=tcp:127.0.0.1:1234-10.0.2.15:80'])
    expect(valuesOf(connected, '-nic')).toEqual([])
  })
})

describe('the socket for orders', () => {
  const listening = async (path: string) => {
    const server = createServer((socket) => socket.end())
    server.listen(path)
    await once(server, 'listening')
    return server
  }

  test('is waited for, also where one lies that nobody listens on; not when QEMU has ended', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'skerry-door-'))
    try {
      const path = join(dir, 'door.sock')
      const killed = await listening(join(dir, 'before'))
      await link(join(dir, 'before'), path)
      killed.close()
      expect(await openDoor(path, () => true)).toBeUndefined()
      const opening = openDoor(path, () => false)
      await rm(path)
      const server = await listening(path)
      const door = await opening
      expect(door?.readyState).toMatch(/open|readOnly|writeOnly/)
      door?.destroy()
      server.close()
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  })
})
