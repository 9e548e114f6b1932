import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type DomainSpec, domainXml, type Iotune, markMetadata, parseDomain, parseMark } from '../src/index.ts'
import { element, readXml, writeXml, type XmlElement } from '../src/xml/document.ts'
import { full, goldenSpecs, minimal, vmUuid } from './specs.ts'

const golden = (name: string): string => fileURLToPath(new URL(`./golden/${name}.xml`, import.meta.url))
/** The tree of element names, without any value. */
const shape = (node: XmlElement): unknown => [node.name, Object.keys(node.attributes), node.children.map(shape)]

const nasty = [
  '"; $(id)',
  "' or 1",
  '<x>',
  '</name>',
  ']]>',
  '<![CDATA[',
  '&amp;',
  '&#10;',
  '\n',
  '\r\n',
  '\t',
  ' ',
  '-->',
  'é',
  '😀',
  '\u0085',
  '\u2028',
]
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...nasty), fc.string({ unit: 'grapheme' })), { maxLength: 8 })
  .map((parts) => `x${parts.join('')}`)
  .filter((text) => !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text) && Buffer.from(text).toString() === text)
const oneLine = hostile.map((text) => text.replace(/[/\r\n]/g, '_'))

describe('domain XML', () => {
  it.each(Object.entries(goldenSpecs))('of the spec %s is exactly the golden file', async (name, spec) => {
    await expect(domainXml(spec)).toMatchFileSnapshot(golden(name))
  })

  it('says how fast a disk may be, and refuses what would be no limit or two of a kind', () => {
    const disk = { file: '/a', format: 'raw' as const, target: 'vda' }
    const of = (iotune: Iotune) => parseDomain(domainXml({ ...minimal, disks: [{ ...disk, iotune }] })).disks[0]?.iotune
    const both = { readBytesPerSec: 1, writeBytesPerSec: Number.MAX_SAFE_INTEGER, totalIops: 3 }
    expect([of(both), of({})]).toEqual([both, undefined])
    for (const bad of [
      { totalIops: 0 },
      { readIops: 1.5 },
      { totalIops: 1, writeIops: 1 },
      { totalBytesPerSec: 1, readBytesPerSec: 1 },
    ])
      expect(() => of(bad)).toThrow('a domain cannot have this')
  })

  it('reads back as what it was built from', () => {
    expect(parseDomain(domainXml(full))).toEqual({
      uuid: vmUuid,
      name: full.name,
      title: full.title,
      description: full.description,
      type: 'kvm',
      mark: full.mark,
      memoryBytes: full.memoryBytes,
      cpuCount: 4,
      disks: [
        {
          device: 'disk',
          file: '/skerry/vols/root.qcow2',
          format: 'qcow2',
          target: 'vda',
          serial: 'a'.repeat(20),
          bootOrder: 1,
          readonly: false,
        },
        {
          device: 'disk',
          file: '/skerry/vols/data,1.raw',
          format: 'raw',
          target: 'vdb',
          serial: 'b'.repeat(20),
          bootOrder: null,
          readonly: true,
        },
        {
          device: 'cdrom',
          file: '/skerry/iso/seed.iso',
          format: 'raw',
          target: 'sda',
          serial: null,
          bootOrder: 2,
          readonly: true,
        },
        { device: 'cdrom', file: null, format: 'raw', target: 'sdb', serial: null, bootOrder: null, readonly: true },
      ],
      nics: [
        { mac: '52:54:00:00:00:01', bridge: 'br-eth0', tap: 'sk0123456789.0', model: 'virtio', mtu: 1450, bootOrder: 3 },
        { mac: '52:54:00:00:00:02', bridge: 'br-eth1', tap: 'sk0123456789.1', model: 'e1000', mtu: null, bootOrder: null },
      ],
      serial: { type: 'unix', path: '/run/skerry/vm.serial', logFile: '/var/log/skerry/vm.log' },
      vnc: { socket: '/run/skerry/vm.vnc' },
    })
  })

  it('carries hostile strings as values: none becomes structure, none is changed', () => {
    const spec = fc.record({
      name: oneLine,
      title: oneLine,
      description: hostile,
      file: oneLine,
      generation: hostile,
      hash: hostile,
    })
    fc.assert(
      fc.property(spec, ({ name, title, description, file, generation, hash }) => {
        const mark = { uuid: vmUuid, generation, hash, base: hash }
        const path = `/vols/${file}`
        const built: DomainSpec = {
          ...full,
          name,
          title,
          description,
          mark,
          disks: [{ ...full.disks[0]!, file: path }, full.disks[1]!],
        }
        const xml = domainXml(built)
        expect(shape(readXml(xml))).toEqual(shape(readXml(domainXml(full))))
        const parsed = parseDomain(xml)
        expect(parsed).toMatchObject({ name, title, description, mark })
        expect(parsed.disks[0]!.file).toBe(path)
      }),
      { numRuns: 300 },
    )
  })

  it('carries long texts full of characters that need escaping', () => {
    const description = '<&>"\'\n'.repeat(5_000)
    expect(parseDomain(domainXml({ ...minimal, description })).description).toBe(description)
  })

  it.each(['\0', '\u0001', '\u0008', '\u000b', '\u001b', '\u001f', '\ufffe', '\uffff', '\ud800', 'a\udc00b'])(
    'refuses the character %j, which XML cannot carry',
    (character) => {
      for (const field of ['name', 'title', 'description'] as const) {
        const spec = { ...minimal, [field]: `x${character}y` }
        expect(() => domainXml(spec)).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
      }
    },
  )

  const nic = { mac: '52:54:00:00:00:01', bridge: 'br0', tap: 'tap0' }
  const disk = { file: '/d', format: 'raw', target: 'vda' } as const
  const refused: [string, Partial<DomainSpec>][] = [
    ['a uuid with dashes', { uuid: '01234567-89ab-cdef-0123-456789abcdef' }],
    ['an empty name', { name: '' }],
    ['a slash in the name', { name: 'a/b' }],
    ['a newline in the name', { name: 'a\nb' }],
    ['a newline in the title', { title: 'a\nb' }],
    ['no CPU', { cpuCount: 0 }],
    ['half a CPU', { cpuCount: 1.5 }],
    ['no memory', { memoryBytes: 0 }],
    ['memory that is no whole number of KiB', { memoryBytes: 1_000_000 }],
    ['the CPU of the host without KVM', { type: 'qemu', cpuMode: 'host-passthrough' }],
    ['a relative disk path', { disks: [{ ...disk, file: 'disk.raw' }] }],
    ['a strange disk target', { disks: [{ ...disk, target: 'vda"/>' }] }],
    ['two disks at one target', { disks: [disk, { ...disk, file: '/e' }] }],
    ['a strange volume uuid', { disks: [{ ...disk, volumeUuid: 'root' }] }],
    ['a boot order of zero', { disks: [{ ...disk, bootOrder: 0 }] }],
    ['one boot order for two devices', { disks: [{ ...disk, bootOrder: 1 }], nics: [{ ...nic, bootOrder: 1 }] }],
    ['an upper-case MAC address', { nics: [{ ...nic, mac: '52:54:00:AA:00:01' }] }],
    ['a multicast MAC address', { nics: [{ ...nic, mac: '01:54:00:00:00:01' }] }],
    ['one MAC address twice', { nics: [nic, { ...nic, tap: 'tap1' }] }],
    ['one tap twice', { nics: [nic, { ...nic, mac: '52:54:00:00:00:02' }] }],
    ['a tap name that the kernel would cut', { nics: [{ ...nic, tap: 't'.repeat(16) }] }],
    ['a tap name of the kind that libvirt gives out', { nics: [{ ...nic, tap: 'vnet7' }] }],
    ['an MTU below the least of IPv4', { nics: [{ ...nic, mtu: 67 }] }],
    ['a VNC address that is none', { vnc: { listen: 'localhost' } }],
    ['a relative serial socket', { serial: { type: 'unix', path: 's' } }],
  ]
  it.each(refused)('refuses %s', (_what, change) => {
    expect(() => domainXml({ ...minimal, ...change })).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
  })
})

describe('reading the XML of any domain', () => {
  it('takes what libvirt writes of a running foreign domain', () => {
    const parsed = parseDomain(`<?xml version='1.0'?>
<domain type='kvm' id='7' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>theirs</name><uuid>AAAAAAAA-89ab-cdef-0123-456789abcdef</uuid>
  <metadata><libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0"><libosinfo:os id="x"/></libosinfo:libosinfo></metadata>
  <memory>2048</memory><vcpu placement='static' current='1'>2</vcpu>
  <devices>
    <disk type='block' device='disk'><source dev='/dev/sdb'/><target dev='vda' bus='virtio'/></disk>
    <disk type='network' device='disk'><source protocol='rbd' name='p/i'/><target dev='vdb'/></disk>
    <interface type='network'><mac address='52:54:00:AA:00:01'/><source network='default' bridge='virbr0'/><target dev='vnet3'/></interface>
    <interface type='user'/>
    <serial type='pty'><source path='/dev/pts/4'/><target port='0'/></serial>
    <graphics type='spice' port='5900'/>
    <graphics type='vnc' port='5901' autoport='yes' listen='127.0.0.1'><listen type='address' address='127.0.0.1'/></graphics>
  </devices>
  <qemu:commandline><qemu:arg value='-foo'/></qemu:commandline>
</domain>`)
    expect(parsed).toMatchObject({
      uuid: 'aaaaaaaa89abcdef0123456789abcdef',
      name: 'theirs',
      mark: null,
      memoryBytes: 2048 * 1024,
      cpuCount: 2,
    })
    expect(parsed.disks.map((d) => [d.target, d.file])).toEqual([
      ['vda', null],
      ['vdb', null],
    ])
    expect(parsed.nics[0]).toMatchObject({ mac: '52:54:00:aa:00:01', tap: 'vnet3', bridge: 'virbr0' })
    expect(parsed.nics[1]).toMatchObject({ mac: '', tap: null })
    expect(parsed.serial).toMatchObject({ type: 'pty', path: '/dev/pts/4' })
    expect(parsed.vnc).toEqual({ listen: '127.0.0.1', port: 5901 })
  })

  const inMetadata = (inner: string) => parseDomain(`<domain><name>n</name><metadata>${inner}</metadata></domain>`).mark
  it('knows our mark under any prefix, and takes none of another namespace or with a field missing', () => {
    const mark = { uuid: 'u', generation: '1.1', hash: 'h' }
    const attributes = 'uuid="u" generation="1.1" hash="h"'
    expect(
      inMetadata(
        `<other:vm xmlns:other="urn:o" note="https://skerry.dev/libvirt/1"/><p:vm xmlns:p="https://skerry.dev/libvirt/1" ${attributes}/>`,
      ),
    ).toEqual(mark)
    expect(inMetadata(`<vm xmlns="https://skerry.dev/libvirt/1" ${attributes}/>`)).toEqual(mark)
    expect(inMetadata(`<skerry:vm xmlns:skerry="urn:other" ${attributes}/>`)).toBeNull()
    expect(inMetadata(`<vm ${attributes}/>`)).toBeNull()
    expect(inMetadata('<skerry:vm xmlns:skerry="https://skerry.dev/libvirt/1" uuid="u"/>')).toBeNull()
  })

  it('reads the mark that it gives to domainSetMetadata, and null from what is no XML', () => {
    const mark = { uuid: 'u', generation: '1.1', hash: '<"&\n' }
    expect(parseMark(markMetadata(mark).xml)).toEqual(mark)
    for (const nothing of [null, undefined, '', '<vm', '<other/>']) expect(parseMark(nothing)).toBeNull()
  })

  it.each([
    '',
    'x',
    '<domain>',
    '<domain/>',
    '<network><name>n</name></network>',
    '<a/><b/>',
    '<!DOCTYPE d [<!ENTITY e "x">]><domain><name>&e;</name></domain>',
  ])('refuses %j', (xml) => {
    expect(() => parseDomain(xml)).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
  })
})

describe('the XML writer', () => {
  it('refuses names that would be structure', () => {
    for (const name of ['a b', 'a>', '', '1a', 'a:b:c']) expect(() => writeXml(element(name))).toThrow('not a name')
    expect(() => writeXml(element('a', { 'b="x" c': 1 }))).toThrow('not a name')
  })
})
