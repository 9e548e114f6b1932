/**
 * The disk from which a guest with cloud-init learns who it is (NoCloud): its file, and the texts on it. Pure. The file's name
 * holds what is on it, so other contents are another file and another definition, which counts from the guest's next start.
 */
import { specHash } from '@skerry/agent'
import type { kvmDesired } from '@skerry/contract'
import type { FatImage } from '@skerry/host'
import { dashedUuid } from '@skerry/libvirt'
import { stringify } from 'yaml'
import { vmFolder } from './memory.ts'

/** By which cloud-init finds it. */
const LABEL = 'cidata'
/** Raised when the same seed should give other texts. */
const VERSION = 1
const FILE = /^seed-[0-9a-f]{16}\.img$/
/** Behind the last disk that a VM may have. */
export const SEED_TARGET = 'vdz'

export const isSeedFile = (name: string): boolean => FILE.test(name)

/** In the VM's own folder, so it goes when that goes. */
export function seedPath(stateDir: string, uuid: string, seed: kvmDesired.GuestSeed): string {
  return `${vmFolder(stateDir, uuid).folder}/seed-${specHash({ version: VERSION, seed }).slice(0, 16)}.img`
}

export function seedImage(uuid: string, { hostname, sshKeys, userData, nics }: kvmDesired.GuestSeed): FatImage {
  const metaData = {
    'instance-id': dashedUuid(uuid),
    'local-hostname': hostname,
    ...(sshKeys.length > 0 ? { 'public-keys': sshKeys } : {}),
  }
  return {
    label: LABEL,
    files: {
      'meta-data': yaml(metaData),
      'user-data': userData ?? '#cloud-config\n{}\n',
      'network-config': yaml({ version: 2, ethernets: Object.fromEntries(nics.map((nic, i) => [`eth${i}`, ethernet(nic, i)])) }),
    },
  }
}

/** Renamed to the names by which cloud-init's writers of older configurations speak of cards. */
function ethernet({ mac, dhcp, defaultRoute, address, gateway, dns, search }: kvmDesired.GuestSeed['nics'][number], at: number) {
  const card = { match: { macaddress: mac }, 'set-name': `eth${at}` }
  if (dhcp) return { ...card, dhcp4: true, ...(defaultRoute ? {} : { 'dhcp4-overrides': { 'use-routes': false } }) }
  return {
    ...card,
    addresses: [address],
    ...(defaultRoute ? { routes: [{ to: '0.0.0.0/0', via: gateway }] } : {}),
    ...(dns.length > 0 ? { nameservers: { addresses: dns, ...(search === null ? {} : { search: [search] }) } } : {}),
  }
}

/**
 * For readers of YAML 1.1, as cloud-init is: to them `52:54:00:12:34:56` and `yes` are a number and a truth unless they are
 * quoted. Long lines stay whole: not every reader in a guest folds as YAML does.
 */
const yaml = (value: unknown): string => stringify(value, { version: '1.1', lineWidth: 0 })
