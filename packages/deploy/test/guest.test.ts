import { describe, expect, it } from 'vitest'
import { type CpioEntry, cpio } from '../src/guest/cpio.ts'
import { DISK_SECTORS, masterBootRecord, PARTITION_SECTORS } from '../src/guest/disk-layout.ts'
import { parseUris } from '../src/guest/packages.ts'
import { guestTexts, MODULES, rootfs } from '../src/guest/rootfs.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

/** Reads a newc archive back, by the kernel's description of the format. */
function unpack(archive: Uint8Array): { path: string; mode: number; body: string; rdev: number[] }[] {
  const found = []
  for (let at = 0; ; ) {
    const text = (from: number, length: number) => Buffer.from(archive.subarray(from, from + length)).toString('latin1')
    expect(text(at, 6)).toBe('070701')
    const field = (n: number) => Number.parseInt(text(at + 6 + n * 8, 8), 16)
    const align = (offset: number) => Math.ceil(offset / 4) * 4
    const path = text(at + 110, field(11) - 1)
    const start = align(at + 110 + field(11))
    if (path === 'TRAILER!!!') return found
    found.push({ path, mode: field(1), body: text(start, field(6)), rdev: [field(9), field(10)] })
    at = align(start + field(6))
  }
}

describe('the initramfs archive', () => {
  const entries: CpioEntry[] = [
    { path: 'dev', mode: 0o755, content: { kind: 'folder' } },
    { path: 'dev/console', mode: 0o600, content: { kind: 'device', major: 5, minor: 1 } },
    { path: 'a', mode: 0o755, content: { kind: 'file', bytes: bytes('12345') } },
    { path: 'abc', mode: 0o777, content: { kind: 'link', to: 'a' } },
    { path: 'empty', mode: 0o644, content: { kind: 'file', bytes: bytes('') } },
  ]

  it('holds every kind of entry with its mode and content', () => {
    expect(unpack(cpio(entries))).toEqual([
      { path: 'dev', mode: 0o040755, body: '', rdev: [0, 0] },
      { path: 'dev/console', mode: 0o020600, body: '', rdev: [5, 1] },
      { path: 'a', mode: 0o100755, body: '12345', rdev: [0, 0] },
      { path: 'abc', mode: 0o120777, body: 'a', rdev: [0, 0] },
      { path: 'empty', mode: 0o100644, body: '', rdev: [0, 0] },
    ])
  })

  it('is the same bytes for the same entries', () => {
    expect(Buffer.compare(Buffer.from(cpio(entries)), Buffer.from(cpio(entries)))).toBe(0)
  })
})

describe('the guest’s files', () => {
  const modules = new Map(MODULES.map((name) => [name, bytes(name)]))
  const files = rootfs({ busybox: bytes('busybox'), modules })

  it('put each folder before what lies in it, and nothing twice', () => {
    const paths = files.map((entry) => entry.path)
    expect(new Set(paths).size).toBe(paths.length)
    for (const [index, path] of paths.entries()) {
      const parent = path.split('/').slice(0, -1).join('/')
      if (parent !== '') expect(paths.slice(0, index)).toContain(parent)
    }
  })

  it('are programs where the kernel, init, httpd or acpid runs them', () => {
    const modeOf = (path: string) => files.find((entry) => entry.path === path)?.mode
    for (const path of [
      'init',
      'bin/busybox',
      'etc/lease',
      'etc/dhcp',
      'etc/acpi/PWRF/00000080',
      'www/cgi-bin/uptime',
      'www/cgi-bin/get',
    ])
      expect([path, modeOf(path)]).toEqual([path, 0o755])
    expect(modeOf('etc/inittab')).toBe(0o644)
  })

  it('load each module after those it needs', () => {
    const at = (name: (typeof MODULES)[number]) => MODULES.indexOf(name)
    expect(at('virtio_ring')).toBeLessThan(at('virtio'))
    expect(at('virtio')).toBeLessThan(at('virtio_pci'))
    expect(at('virtio_pci_modern_dev')).toBeLessThan(at('virtio_pci'))
    expect(at('failover')).toBeLessThan(at('net_failover'))
    expect(at('net_failover')).toBeLessThan(at('virtio_net'))
    expect(guestTexts()).toContain('virtio_blk')
  })
})

describe('the boot sector', () => {
  it('has one active FAT16 partition up to the end of the disk', () => {
    const sector = masterBootRecord(new Uint8Array(440).fill(0x90))
    const view = new DataView(sector.buffer)
    expect(sector).toHaveLength(512)
    expect([sector[0], sector[439], sector[446], sector[450], sector[510], sector[511]]).toEqual([
      0x90, 0x90, 0x80, 0x0e, 0x55, 0xaa,
    ])
    expect(view.getUint32(454, true) + view.getUint32(458, true)).toBe(DISK_SECTORS)
    expect([...sector.subarray(462, 510)].every((byte) => byte === 0)).toBe(true)
    // more than 4085 clusters of 4 sectors: FAT16, which is what the type byte says
    expect(PARTITION_SECTORS / 4).toBeGreaterThan(4085 + 100)
  })

  it('refuses code that would run into the partition table', () => {
    expect(() => masterBootRecord(new Uint8Array(441))).toThrow('440')
  })
})

it('reads what apt would fetch, and skips its other lines', () => {
  const hash = 'a'.repeat(64)
  expect(
    parseUris(
      `W: noise\n'http://x/b_1%3a2_amd64.deb' b_1%3a2_amd64.deb 928188 SHA256:${hash}\n'http://x/c.deb' c.deb 1 MD5Sum:00\n`,
    ),
  ).toEqual([{ name: 'b', fileName: 'b_1%3a2_amd64.deb', sha256: hash }])
})
