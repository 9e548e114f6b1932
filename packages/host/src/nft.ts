/**
 * nft: read tables as JSON, write changes as one transaction. Whoever calls names their own tables only: other tables are
 * never listed whole, flushed or touched.
 */
import { SkerryError } from '@skerry/contract'
import { z } from 'zod'
import type { Exec } from './exec.ts'
import type { NftCommand, NftElement, NftObject, NftTable } from './nft-build.ts'
import { checkInput, parseToolJson } from './parse-json.ts'

export interface NftScope {
  /** Names of all tables. */
  tables(): Promise<NftTable[]>
  /** Everything in one table, in nft's own order; undefined if there is no such table. */
  table(table: NftTable): Promise<NftObject[] | undefined>
  /** Elements of one set or map; undefined if there is none. Cheaper than the table. */
  elements(ref: {
    family: NftTable['family']
    table: string
    name: string
    kind: 'set' | 'map'
  }): Promise<NftElement[] | undefined>
  /** All commands or none. No command: the kernel isn't called. `check`: only asks whether it would work. */
  apply(commands: readonly NftCommand[], opts?: { check?: boolean }): Promise<void>
}
export interface Nft {
  at(netns?: string): NftScope
}

const TIMEOUT_MS = 30_000
const nameInput = z.object({
  family: z.enum(['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev']),
  name: z.string().regex(/^[\w.-]{1,63}$/),
})

const values = z.custom<NftElement[]>((value) => Array.isArray(value))
const family = nameInput.shape.family
const handle = z.number().optional()
const setShape = z.object({
  family,
  table: z.string(),
  name: z.string(),
  type: z.union([z.string(), z.array(z.string())]),
  flags: z.array(z.string()).optional(),
  timeout: z.number().optional(),
  elem: values.optional(),
  handle,
})
const chainShape = z.object({
  family,
  table: z.string(),
  name: z.string(),
  type: z.enum(['filter', 'nat', 'route']).optional(),
  hook: z.enum(['prerouting', 'input', 'forward', 'output', 'postrouting', 'ingress']).optional(),
  prio: z.number().optional(),
  policy: z.enum(['accept', 'drop']).optional(),
  dev: z.string().optional(),
  handle,
})
const ruleShape = z.object({
  family,
  table: z.string(),
  chain: z.string(),
  expr: z.array(z.record(z.string(), z.unknown())).default([]),
  comment: z.string().optional(),
  handle,
})
const objectShape = z.union([
  z.strictObject({ table: z.object({ family, name: z.string(), handle }) }),
  z.strictObject({ chain: chainShape }),
  z.strictObject({ set: setShape }),
  z.strictObject({ map: setShape.extend({ map: z.string() }) }),
  z.strictObject({ rule: ruleShape }),
])
const listing = z.object({ nftables: z.array(z.record(z.string(), z.unknown())) })

/** The real `nft`. */
export function nft(exec: Exec): Nft {
  return { at: (netns) => scope(exec, netns) }
}

function scope(exec: Exec, netns: string | undefined): NftScope {
  const list = async (args: readonly string[]) => {
    const { stdout } = await exec.run('nft', ['-j', 'list', ...args], {
      timeoutMs: TIMEOUT_MS,
      netns,
      maxOutputBytes: 256 * 1024 * 1024,
    })
    return parseToolJson('nft', stdout, listing).nftables.filter((entry) => !('metainfo' in entry))
  }
  const listIfThere = async (args: readonly string[]) => {
    try {
      return await list(args)
    } catch (error) {
      if (saysAbsent(error)) return undefined
      throw error
    }
  }
  return {
    async tables() {
      return (await list(['tables'])).map(toObject).flatMap((object) => ('table' in object ? [pickTable(object.table)] : []))
    },
    async table(table) {
      const valid = checkInput('nft table', table, nameInput)
      return (await listIfThere(['table', valid.family, valid.name]))?.map(toObject)
    },
    async elements(ref) {
      const valid = checkInput('nft set', { family: ref.family, name: ref.name }, nameInput)
      const table = checkInput('nft set', { family: ref.family, name: ref.table }, nameInput).name
      const found = (await listIfThere([ref.kind, valid.family, table, valid.name]))?.map(toObject)
      const object = found?.find((entry) => 'set' in entry || 'map' in entry)
      return object && ('set' in object ? (object.set.elem ?? []) : 'map' in object ? (object.map.elem ?? []) : undefined)
    },
    async apply(commands, opts = {}) {
      if (commands.length === 0) return
      const input = JSON.stringify({ nftables: commands })
      await exec.run('nft', ['-j', ...(opts.check ? ['-c'] : []), '-f', '-'], {
        timeoutMs: TIMEOUT_MS,
        netns,
        input,
        inputAs: 'file',
      })
    },
  }
}

const pickTable = ({ family: tableFamily, name }: NftTable): NftTable => ({ family: tableFamily, name })

function toObject(entry: Record<string, unknown>): NftObject {
  const parsed = objectShape.safeParse(entry)
  if (parsed.success) return parsed.data as NftObject
  throw new SkerryError('host-command-failed', `nft listed an object that we don't know: ${Object.keys(entry).join()}`, {
    problems: parsed.error.issues.slice(0, 3).map((issue) => issue.message),
  })
}

/** nft has one exit code for everything; with LANG=C its words are stable (1.0.6: "No such file or directory"). */
function saysAbsent(error: unknown): boolean {
  if (!(error instanceof SkerryError) || error.code !== 'host-command-failed') return false
  return String(error.details['stderr'] ?? '').includes('No such file or directory')
}
