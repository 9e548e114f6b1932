/** How much accounts may have. Checked in the moment of the commit, so calls side by side can't share a last unit. */
import { ADMIN_ACCOUNT, defaultQuotas, type Op, type QuotaName, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { counts, growthOf, type Usage, usageOf } from './usage.ts'

/** What the account may have: its own rows, and the default where it has none. */
export function limitsOf(graph: Graph, account: string): Usage {
  const own = [...graph.by('quota', 'identityUuid', account)].map((key) => graph.get('quota', key)!)
  return { ...defaultQuotas, ...Object.fromEntries(own.map((row) => [row['name'] as string, row['value'] as number])) }
}

/** Whether any of the operations may give somebody more. */
const mayGrow = (ops: readonly Op[]) => ops.some((op) => op.o !== 'del' && counts(op.t))

/** Throws `quota-exceeded` where one of `accounts` would have more than it may. What others cause is never refused. */
export function checkQuotas(graph: Graph, ops: readonly Op[], accounts: ReadonlySet<string>): void {
  if (accounts.size === 0 || !mayGrow(ops)) return
  for (const [accountUuid, amounts] of growthOf(graph, ops)) {
    const more = (Object.entries(amounts) as [QuotaName, number][]).filter(([, amount]) => amount > 0)
    if (accountUuid === ADMIN_ACCOUNT || !accounts.has(accountUuid) || more.length === 0) continue
    const [used, limits] = [usageOf(graph, accountUuid), limitsOf(graph, accountUuid)]
    for (const [name, asked] of more) {
      const limit = limits[name]
      if (used[name] + asked <= limit) continue
      const message = `account ${graph.get('account', accountUuid)?.['name']} may have ${limit} of ${name}; it has ${used[name]}, and this takes ${asked}`
      throw new SkerryError('quota-exceeded', message, { name, used: used[name], asked, limit, accountUuid })
    }
  }
}
