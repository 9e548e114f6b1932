/**
 * What tags of a creation say of its cards, as ZStack's clients do: `staticIp::<network>::<address>` (IPv6 with `--` for `::`) and
 * `customMac::<network>::<address>`.
 */
import { ipv4, ipv6, mac as macForm, type Row, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { canonicalIp } from '../place/ip.ts'
import { fixedAddress6 } from './nic.address6.ts'
import { fixedAddress, needUsableMac } from './vm.nic.check.ts'
import { need } from './world.ts'

export interface AskedCard {
  ip?: string
  ip6?: string
  mac?: string
}

const FORMS = ['staticIp', 'customMac']
const refuse = (tag: string, why: string) =>
  new SkerryError('invalid-argument', `invalid field[systemTags]: ${tag}: ${why}`, { field: 'systemTags', tag })

function said(tag: string, name: string, value: string): AskedCard {
  if (name === 'customMac') {
    const mac = value.toLowerCase()
    if (!macForm.safeParse(mac).success) throw refuse(tag, 'it must name a MAC address')
    return { mac }
  }
  const address = value.replaceAll('--', '::')
  if (ipv4.safeParse(address).success) return { ip: address }
  if (ipv6.safeParse(address).success) return { ip6: canonicalIp(address) }
  throw refuse(tag, 'it must name an IPv4 or IPv6 address, an IPv6 one with -- in the place of ::')
}

/** What is asked for, by L3 network. Throws `invalid-argument` for what is no address, or is said twice. */
export function askedCards(params: Row): Map<string, AskedCard> {
  const cards = new Map<string, AskedCard>()
  for (const tag of (params['systemTags'] as string[] | undefined) ?? []) {
    const [name = '', l3 = '', value = ''] = tag.split('::')
    if (!FORMS.includes(name)) continue
    const before = cards.get(l3) ?? {}
    const more = said(tag, name, value)
    if (Object.keys(more).some((key) => key in before)) throw refuse(tag, 'another tag says that of the same network')
    cards.set(l3, { ...before, ...more })
  }
  return cards
}

/** Throws what a new VM can't have of that: addresses of networks that it is in, free ones only. */
export function checkAskedCards(graph: Graph, params: Row, l3Uuids: readonly string[]): void {
  const macs = new Set<string>()
  for (const [uuid, { ip, ip6, mac }] of askedCards(params)) {
    if (!l3Uuids.includes(uuid)) throw refuse(`…::${uuid}::…`, 'the VM instance has no card in that network')
    const l3 = need(graph, 'l3Network', uuid)
    if (ip !== undefined) fixedAddress(graph, l3, ip, 'systemTags')
    if (ip6 !== undefined) fixedAddress6(graph, l3, ip6)
    if (mac === undefined) continue
    needUsableMac(graph, mac, 'systemTags')
    if (macs.has(mac)) throw refuse(`…::${uuid}::${mac}`, 'another card is to have it')
    macs.add(mac)
  }
}
