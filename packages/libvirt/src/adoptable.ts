/**
 * What keeps a domain that somebody made by hand from becoming ours. Pure. Its next start is by our definition, on the hardware that all
 * our guests have: what would be lost or be another thing then is named, so that nobody learns of it when the guest does not boot.
 */
import { at, childrenNamed, readXml, type XmlElement } from './xml/document.ts'

/** Settings that our definition has too, or that say nothing about what the guest sees. */
const SETTINGS = new Set(
  'name uuid title description metadata memory currentMemory vcpu os features cpu clock pm devices seclabel resource'.split(' '),
)
const HOOKS = /^on_(poweroff|reboot|crash)$/
const FEATURES = new Set(['acpi', 'apic', 'pae', 'vmport'])
/** Devices that our guests have as well, and those that a guest does well without. */
const DEVICES = new Set(
  'emulator disk interface controller serial console channel input graphics video memballoon rng audio sound panic redirdev'.split(
    ' ',
  ),
)
const DISK_TARGET = /^vd[a-y]$/
const DISK_PARTS = new Set('alias driver source backingStore target iotune boot address'.split(' '))
const CARD_PARTS = new Set('mac source target model alias address driver boot link rom mtu'.split(' '))

const named = (nodes: readonly XmlElement[], known: ReadonlySet<string>): string[] => [
  ...new Set(nodes.filter(({ name }) => !known.has(name)).map(({ name }) => name)),
]
const typeOf = (node: XmlElement) => node.attributes['type'] ?? ''
const targetOf = (node: XmlElement) => at(node, 'target')?.attributes['dev'] ?? '?'

function settingsOf(root: XmlElement): string[] {
  const others = root.children.filter(({ name }) => !SETTINGS.has(name) && !HOOKS.test(name))
  const os = at(root, 'os')
  const { machine = '', arch = 'x86_64' } = at(os, 'type')?.attributes ?? {}
  const clock = at(root, 'clock')?.attributes['offset'] ?? 'utc'
  const vcpu = at(root, 'vcpu')
  const current = vcpu?.attributes['current']
  return [
    ...named(others, SETTINGS).map((name) => `it has the setting ${name}, which would be lost`),
    ...(arch === 'x86_64' ? [] : [`its machine is ${arch} (${machine}), not x86_64`]),
    ...(os?.attributes['firmware'] || at(os, 'loader') || at(os, 'nvram') ? ['it boots by UEFI, and ours boot by BIOS'] : []),
    ...(at(os, 'kernel') ? ['it boots a kernel of its own, not its disk'] : []),
    ...named(at(root, 'features')?.children ?? [], FEATURES).map((name) => `it has the feature ${name}, which would be lost`),
    ...(clock === 'utc' ? [] : [`its clock is ${clock}, not utc`]),
    ...(current !== undefined && current !== vcpu?.text.trim() ? ['not all of its CPUs are switched on'] : []),
  ]
}

function diskHindrances(disk: XmlElement): string[] {
  const { device = 'disk' } = disk.attributes
  const target = targetOf(disk)
  if (device === 'cdrom') {
    const full = Object.keys(at(disk, 'source')?.attributes ?? {}).some((name) => name !== 'index')
    return full ? [`its CD drive ${target} is not empty`] : []
  }
  if (device !== 'disk') return [`it has a ${device} drive`]
  const bus = at(disk, 'target')?.attributes['bus']
  return [
    ...(typeOf(disk) === 'file' ? [] : [`its disk ${target} is of type ${typeOf(disk)}, not a file`]),
    ...(bus === 'virtio' ? [] : [`its disk ${target} is on bus ${bus}, not virtio`]),
    ...(DISK_TARGET.test(target) ? [] : [`its disk ${target} has a name beyond vda to vdy`]),
    ...named(disk.children, DISK_PARTS).map((name) => `its disk ${target} has the setting ${name}`),
    // How fast it may be stands in our document; what stands in the domain would be lifted at the next start.
    ...(at(disk, 'iotune') ? [`its disk ${target} has a limit of its own (iotune)`] : []),
    ...(childrenNamed(at(disk, 'source'), 'encryption').length > 0 ? [`its disk ${target} is encrypted`] : []),
    ...(at(disk, 'backingStore')?.children.length ? [`its disk ${target} lies on another file`] : []),
  ]
}

function cardHindrances(card: XmlElement): string[] {
  const mac = at(card, 'mac')?.attributes['address'] ?? '?'
  const model = at(card, 'model')?.attributes['type'] ?? 'none'
  return [
    ...(['bridge', 'network'].includes(typeOf(card)) ? [] : [`its card ${mac} is of type ${typeOf(card)}, not on a bridge`]),
    ...(model === 'virtio' ? [] : [`its card ${mac} is a ${model}, not virtio`]),
    ...named(card.children, CARD_PARTS).map((name) => `its card ${mac} has the setting ${name}`),
  ]
}

const orderOf = (disk: XmlElement) => Number(at(disk, 'boot')?.attributes['order'] ?? Number.POSITIVE_INFINITY)

function rootHindrances(disks: readonly XmlElement[]): string[] {
  const root = disks.find((disk) => targetOf(disk) === 'vda')
  if (!root) return ['it has no disk vda to boot from']
  const earlier = disks.find((disk) => orderOf(disk) < orderOf(root))
  return earlier ? [`it boots from ${targetOf(earlier)}, not from vda`] : []
}

/** Sentences, none if nothing is known to hinder. `xml`: of the running domain where it runs. Throws `invalid-argument`. */
export function adoptionHindrances(xml: string): string[] {
  const root = readXml(xml)
  const devices = at(root, 'devices')
  const disks = childrenNamed(devices, 'disk')
  const real = disks.filter((disk) => (disk.attributes['device'] ?? 'disk') === 'disk')
  return [
    ...settingsOf(root),
    ...named(devices?.children ?? [], DEVICES).map((name) => `it has a device ${name}, which ours lack`),
    ...disks.flatMap(diskHindrances),
    ...rootHindrances(real),
    ...childrenNamed(devices, 'interface').flatMap(cardHindrances),
  ]
}
