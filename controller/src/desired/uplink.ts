/** Point-to-point subnets between routers and their host: /30s of 169.254.64.0/18 (link-local, so they never clash with a site's own). */
export const UPLINKS = 4096

/** Subnet `n` of a host: the host has the first address, the router the second. */
export function uplinkSubnet(n: number): { hostIp: string; routerIp: string; prefixLen: number } {
  const base = 64 * 256 + n * 4
  const ip = (offset: number) => `169.254.${(base + offset) >> 8}.${(base + offset) & 255}`
  return { hostIp: ip(1), routerIp: ip(2), prefixLen: 30 }
}

/** The number behind a host's address in its subnet; null: it is none of these. */
export function uplinkNumber(hostIp: string | undefined): number | null {
  const [, third, fourth] = /^169\.254\.(\d+)\.(\d+)$/.exec(hostIp ?? '') ?? []
  const n = (Number(third) * 256 + Number(fourth) - 1 - 64 * 256) / 4
  return Number.isInteger(n) && n >= 0 && n < UPLINKS ? n : null
}
