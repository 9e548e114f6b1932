/** Point-to-point subnets between routers and their host: /30s of 169.254.64.0/18 (link-local, so they never clash with a site's own). */
export const UPLINKS = 4096

/** Subnet `n` of a host: the host has the first address, the router the second. */
export function uplinkSubnet(n: number): { hostIp: string; routerIp: string; prefixLen: number } {
  const base = 64 * 256 + n * 4
  const ip = (offset: number) => `169.254.${(base + offset) >> 8}.${(base + offset) & 255}`
  return { hostIp: ip(1), routerIp: ip(2), prefixLen: 30 }
}
