/** The addresses of the demo's network, from its CIDR. Pure. */
import { SkerryError } from '@skerry/contract'

export interface DemoAddresses {
  gateway: string
  startIp: string
  endIp: string
  netmask: string
}

/** The first address is the gateway's; guests get from the tenth on (from the second, where there are few). */
export function demoAddresses(cidr: string): DemoAddresses {
  const [base = '', bits = ''] = cidr.split('/')
  const prefix = Number(bits)
  if (prefix < 8 || prefix > 29)
    throw new SkerryError('invalid-argument', `SKERRY_DEMO_CIDR must be between /8 and /29, not ${cidr}`)
  const mask = (0xffffffff << (32 - prefix)) >>> 0
  const network = (toNumber(base) & mask) >>> 0
  const last = (network | ~mask) >>> 0
  const first = network + (prefix <= 26 ? 10 : 2)
  return {
    gateway: toText(network + 1),
    startIp: toText(first),
    endIp: toText(Math.min(last - 1, network + 250)),
    netmask: toText(mask),
  }
}

const toNumber = (ip: string) => ip.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0)
const toText = (n: number) => [24, 16, 8, 0].map((shift) => (n >>> shift) & 255).join('.')
