/**
 * br_netfilter: whether frames that a bridge forwards are shown to the tables of the inet family. Switched on for single bridges, never
 * for all: other bridges of the host are somebody else's.
 */
import { ifname, SkerryError } from '@skerry/contract'
import { z } from 'zod'
import type { Exec } from './exec.ts'
import { checkInput, parseToolJson } from './parse-json.ts'

export interface BridgeFilter {
  /** Undefined: there is no such bridge, or the kernel has no br_netfilter. */
  isOn(bridge: string): Promise<boolean | undefined>
  /** Fails where `isOn` says undefined. */
  switchOn(bridge: string): Promise<void>
  /** Loads a module of the kernel that bridges need; false: there is none, or it is built in. The kernel does not load these by itself. */
  load(module: 'nf_conntrack_bridge' | 'br_netfilter'): Promise<boolean>
}

const TIMEOUT_MS = 10_000
const flag = z.number().optional()
const shape = z.array(
  z.object({
    linkinfo: z.object({ info_data: z.object({ nf_call_iptables: flag, nf_call_ip6tables: flag }).optional() }).optional(),
  }),
)

/** The real `ip`. */
export function bridgeFilter(exec: Exec, netns?: string): BridgeFilter {
  const run = (args: readonly string[]) => exec.run('ip', args, { timeoutMs: TIMEOUT_MS, netns })
  return {
    async isOn(name) {
      const bridge = checkInput('interface', name, ifname)
      const found = await run(['-j', '-d', 'link', 'show', 'dev', bridge]).catch((error: unknown) => {
        if (saysAbsent(error)) return undefined
        throw error
      })
      const [link] = found ? parseToolJson('ip', found.stdout, shape) : []
      const { nf_call_iptables: four, nf_call_ip6tables: six } = link?.linkinfo?.info_data ?? {}
      return four === undefined || six === undefined ? undefined : four === 1 && six === 1
    },
    async switchOn(name) {
      const bridge = checkInput('interface', name, ifname)
      await run(['link', 'set', 'dev', bridge, 'type', 'bridge', 'nf_call_iptables', '1', 'nf_call_ip6tables', '1'])
    },
    load: (module) =>
      exec.run('modprobe', [module], { timeoutMs: TIMEOUT_MS }).then(
        () => true,
        () => false, // no such module, or no modprobe: whether the kernel can do it is asked afterwards
      ),
  }
}

function saysAbsent(error: unknown): boolean {
  if (!(error instanceof SkerryError) || error.code !== 'host-command-failed') return false
  return String(error.details['stderr'] ?? '').includes('does not exist')
}
