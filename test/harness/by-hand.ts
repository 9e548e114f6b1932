/** A guest as somebody makes it with virsh, without the site: on its bridge, its disk in the folder of a storage, on hardware of their own. */
import { join } from 'node:path'
import { bridgeName } from '@skerry/contract'
import { realHost } from '@skerry/host'
import { type Demo, guestImage } from './demo.ts'
import { type TestSite, until } from './site.ts'
import { virsh } from './will.ts'

const { exec, files } = realHost()
export const BY_HAND = 'by-hand'

const xmlOf = (demo: Demo, o: { file: string; mac: string }) => `
<domain type='qemu'>
  <name>${BY_HAND}</name>
  <memory unit='MiB'>128</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
  <features><acpi/><apic/></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='${o.file}'/><target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'><target dev='hda' bus='ide'/><readonly/></disk>
    <interface type='bridge'><mac address='${o.mac}'/><source bridge='${bridgeName(demo.l2)}'/><model type='virtio'/></interface>
    <serial type='pty'/>
    <graphics type='vnc' port='-1' autoport='yes'/>
  </devices>
</domain>`

export interface ByHand {
  /** libvirt's uuid of it, 32 hex digits */
  uuid: string
  file: string
  pid(): Promise<number | undefined>
  /** what runs, less what only libvirt and we say of it (metadata) */
  xml(): Promise<string>
}

/** Defines and starts it; it is as anybody's until it is adopted. */
export async function guestByHand(site: TestSite, demo: Demo, mac: string): Promise<ByHand> {
  const folder = join(site.dir, 'primary', 'somebody')
  const [file, definition] = [join(folder, 'disk.qcow2'), join(site.dir, 'by-hand.xml')]
  await files.makeDir(folder)
  await exec.run('cp', [await guestImage(), file], { timeoutMs: 60_000 })
  await files.write(definition, xmlOf(demo, { file, mac }))
  await virsh(site, 'define', definition)
  await until('the bridge of the network', 60_000, async () => (await virsh(site, 'start', BY_HAND)) !== '')
  return {
    uuid: (await virsh(site, 'domuuid', BY_HAND)).replaceAll('-', ''),
    file,
    pid: async () => (await site.libvirtd.qemuPids())[BY_HAND],
    xml: async () => (await virsh(site, 'dumpxml', BY_HAND)).replace(/\n\s*<metadata>[\s\S]*<\/metadata>/, ''),
  }
}
