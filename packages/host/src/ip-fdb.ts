/**
 * Where a VXLAN sends what it floods (frames to all, and to a MAC that it has not learned): its forwarding entries for the MAC of zeros,
 * as `bridge fdb` has them. Entries for other MACs, learned or not, are neither shown nor touched.
 */
import { ifname } from '@skerry/contract'
import { z } from 'zod'
import type { Run } from './ip.ts'
import { removeQuietly } from './ip-links.ts'
import { checkInput, parseToolJson } from './parse-json.ts'

export interface Flood {
  /** Peers of one VXLAN link, sorted. */
  list(dev: string): Promise<string[]>
  /** A peer that is there already is fine. */
  add(dev: string, peer: string): Promise<void>
  del(dev: string, peer: string): Promise<void>
}

const EVERY_MAC = '00:00:00:00:00:00'
/** `bridge -j fdb show`; an entry of the bridge's own has no `dst`. */
const entry = z.object({ mac: z.string(), dst: z.string().optional() })
export const floodInput = z.strictObject({ dev: ifname, peer: z.ipv4() })

/** `run` is of the program `bridge`. */
export function flood(run: Run): Flood {
  const list = async (dev: string) => {
    const text = await run(['-j', 'fdb', 'show', 'dev', checkInput('interface name', dev, ifname)])
    const entries = parseToolJson('bridge fdb', text, z.array(entry), [])
    return entries.flatMap(({ mac, dst }) => (mac === EVERY_MAC && dst !== undefined ? [dst] : [])).sort()
  }
  const change = (verb: string, dev: string, peer: string) => {
    checkInput('forwarding entry', { dev, peer }, floodInput)
    return run(['fdb', verb, EVERY_MAC, 'dev', dev, 'dst', peer])
  }
  return {
    list,
    // `append`: `add` would take the place of the peer before; of a pair that is there, the kernel keeps one
    async add(dev, peer) {
      await change('append', dev, peer)
    },
    async del(dev, peer) {
      await removeQuietly(
        () => change('del', dev, peer),
        async () => (await list(dev)).includes(peer),
      )
    },
  }
}
