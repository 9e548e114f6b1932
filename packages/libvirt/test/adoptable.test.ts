import { describe, expect, it } from 'vitest'
import { adoptionHindrances, domainXml } from '../src/index.ts'
import { minimal } from './specs.ts'

const disk = { file: '/srv/mine.qcow2', format: 'qcow2', target: 'vda' } as const
const nic = { mac: '52:54:00:00:00:01', bridge: 'br0', tap: 'sk0' }
const xml = domainXml({
  ...{ ...minimal, disks: [disk], cdroms: [{ target: 'sda' }], nics: [nic], vnc: { listen: '127.0.0.1' } },
  serial: { type: 'pty' },
})
const after = (from: string | RegExp, to: string) => {
  expect(xml).toMatch(from)
  return adoptionHindrances(xml.replace(from, to))
}

describe('what keeps a domain from becoming ours', () => {
  it('is nothing for one on the hardware that our guests have', () => {
    expect(adoptionHindrances(xml)).toEqual([])
  })

  const cases: [string, string | RegExp, string, string][] = [
    ['UEFI', '<os>', '<os firmware="efi">', 'it boots by UEFI, and ours boot by BIOS'],
    ['a loader', '<os>', '<os><loader>/x</loader>', 'it boots by UEFI, and ours boot by BIOS'],
    ['a kernel of its own', '<os>', '<os><kernel>/vmlinuz</kernel>', 'it boots a kernel of its own, not its disk'],
    ['another architecture', 'arch="x86_64"', 'arch="aarch64"', 'its machine is aarch64 (q35), not x86_64'],
    ['huge pages', '<os>', '<memoryBacking/><os>', 'it has the setting memoryBacking, which would be lost'],
    ['enlightenments', '<acpi/>', '<acpi/><hyperv/>', 'it has the feature hyperv, which would be lost'],
    ['another clock', 'offset="utc"', 'offset="localtime"', 'its clock is localtime, not utc'],
    ['CPUs that are off', '<vcpu>1', '<vcpu current="1">2', 'not all of its CPUs are switched on'],
    ['a device of the host', '<devices>', '<devices><hostdev/>', 'it has a device hostdev, which ours lack'],
    ['a shared folder', '<devices>', '<devices><filesystem/>', 'it has a device filesystem, which ours lack'],
    ['another bus', 'dev="vda" bus="virtio"', 'dev="vda" bus="sata"', 'its disk vda is on bus sata, not virtio'],
    ['a block device', 'type="file" device="disk"', 'type="block" device="disk"', 'its disk vda is of type block, not a file'],
    ['another disk first', 'dev="vda"', 'dev="vdb"', 'it has no disk vda to boot from'],
    ['too many disks', '</disk>', '</disk><disk type="file"><target dev="vdz" bus="virtio"/></disk>', 'vdz has a name beyond'],
    ['a disk that is only read', '<target dev="vda"', '<readonly/><target dev="vda"', 'its disk vda has the setting readonly'],
    ['a serial number', '<target dev="vda"', '<serial>x</serial><target dev="vda"', 'its disk vda has the setting serial'],
    ['a limit', '<target dev="vda"', '<iotune><total_iops_sec>9</total_iops_sec></iotune><target dev="vda"', 'iotune'],
    ['layers', '<target dev="vda"', '<backingStore><source file="/b"/></backingStore><target dev="vda"', 'lies on another'],
    ['a full CD drive', '<target dev="sda"', '<source file="/x.iso"/><target dev="sda"', 'its CD drive sda is not empty'],
    ['a floppy', 'device="cdrom"', 'device="floppy"', 'it has a floppy drive'],
    ['another model of card', '<model type="virtio"/>', '<model type="e1000"/>', '00:01 is a e1000, not virtio'],
    ['a card of another type', 'interface type="bridge"', 'interface type="direct"', '00:01 is of type direct, not on a bridge'],
    ['a filtered card', '<model type="virtio"/>', '<model type="virtio"/><filterref/>', '00:01 has the setting filterref'],
  ]
  it.each(cases)('is %s', (_what, from, to, says) => {
    expect(after(from, to).filter((text) => text.includes(says))).toHaveLength(1)
  })

  it('is another disk that it boots from', () => {
    const two = [disk, { ...disk, file: '/b', target: 'vdb', bootOrder: 1 }]
    expect(adoptionHindrances(domainXml({ ...minimal, disks: two }))).toEqual(['it boots from vdb, not from vda'])
  })

  it('is not what libvirt adds to what runs', () => {
    const live = xml
      .replace('<target dev="vda"', '<backingStore/><alias name="virtio-disk0"/><target dev="vda"')
      .replace('<os>', '<resource><partition>/machine</partition></resource><os>')
      .replace('</domain>', '<seclabel type="dynamic" model="dac"/></domain>')
    expect(adoptionHindrances(live)).toEqual([])
  })
})
