/**
 * Policy routing: which table answers for which packet. IPv4 rules of one namespace. Adding what is there and deleting what isn't
 * are both fine. A rule is known by its priority: callers use priorities that are theirs.
 */
import { ipv4 } from '@skerry/contract'
import { z } from 'zod'
import type { Exec } from './exec.ts'
import { netnsName, tableName } from './ip-schema.ts'
import { checkInput, parseToolJson } from './parse-json.ts'

export interface RoutingRule {
  /** Lower ones are asked first; the kernel's own are 0, 32766 and 32767. */
  priority: number
  /** Packets with this mark; absent: all. */
  mark?: number
  /** Packets from this address; absent: all. */
  source?: string
  table: string
  /** What the table says of networks with prefixes up to this length counts as nothing: 0 takes its default route away. */
  suppressPrefix?: number
}
export interface RoutingRules {
  list(): Promise<RoutingRule[]>
  add(rule: RoutingRule): Promise<void>
  del(rule: RoutingRule): Promise<void>
}
export interface Routing {
  at(netns?: string): RoutingRules
}

const TIMEOUT_MS = 10_000
const u32 = z.number().int().min(0).max(0xffff_ffff)
export const ruleInput: z.ZodType<RoutingRule> = z.strictObject({
  priority: u32.min(1).max(32_765),
  mark: u32.optional(),
  source: ipv4.optional(),
  table: tableName,
  suppressPrefix: z.number().int().min(0).max(32).optional(),
})

const printed = z.array(
  z.object({
    priority: z.number(),
    fwmark: z.string().optional(),
    src: z.string().optional(),
    srclen: z.number().optional(),
    table: z.string().optional(),
    suppress_prefixlen: z.number().optional(),
  }),
)

/** The real `ip rule`. */
export function routing(exec: Exec): Routing {
  return {
    at(netns) {
      const scope = netns === undefined ? [] : ['-n', checkInput('namespace', netns, netnsName)]
      const run = async (args: readonly string[]) =>
        (await exec.run('ip', [...scope, '-4', ...args], { timeoutMs: TIMEOUT_MS })).stdout
      const list = async () => parseToolJson('ip rule', await run(['-j', 'rule', 'show']), printed, []).flatMap(toRule)
      return {
        list,
        async add(rule) {
          const wanted = checkInput('routing rule', rule, ruleInput)
          // the kernel would take the same rule a second time
          if (!(await list()).some(isSameRule(wanted))) await run(['rule', 'add', ...argsOf(wanted)])
        },
        async del(rule) {
          const gone = checkInput('routing rule', rule, ruleInput)
          if ((await list()).some(isSameRule(gone))) await run(['rule', 'del', ...argsOf(gone)])
        },
      }
    },
  }
}

export const isSameRule = (a: RoutingRule) => (b: RoutingRule) =>
  a.priority === b.priority &&
  a.mark === b.mark &&
  a.source === b.source &&
  a.table === b.table &&
  a.suppressPrefix === b.suppressPrefix

const argsOf = (rule: RoutingRule) => [
  ...['pref', String(rule.priority)],
  ...(rule.source === undefined ? [] : ['from', rule.source]),
  ...(rule.mark === undefined ? [] : ['fwmark', String(rule.mark)]),
  ...['lookup', rule.table],
  ...(rule.suppressPrefix === undefined ? [] : ['suppress_prefixlength', String(rule.suppressPrefix)]),
]

/** Rules that look up no table are none of ours. */
const toRule = (r: z.infer<typeof printed>[number]): RoutingRule[] =>
  r.table === undefined
    ? []
    : [
        {
          priority: r.priority,
          table: r.table,
          ...(r.fwmark === undefined ? {} : { mark: Number.parseInt(r.fwmark, 16) }),
          ...(r.src === undefined || r.src === 'all' ? {} : { source: r.srclen === undefined ? r.src : `${r.src}/${r.srclen}` }),
          ...(r.suppress_prefixlen === undefined ? {} : { suppressPrefix: r.suppress_prefixlen }),
        },
      ]
