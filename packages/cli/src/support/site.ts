/** What the controller says of its site, for a support bundle: only fields that are named. */
import type { Row } from '@skerry/contract'
import type { Client } from '@skerry/sdk'
import { errorOf, fields, pick } from './allowed.ts'

const JOBS = 300
const RESOURCES = 1_000
const kinds = [
  'zone',
  'cluster',
  'host',
  'primaryStorage',
  'backupStorage',
  'l2Network',
  'l3Network',
  'image',
  'vmInstance',
  'volume',
]

/** Name of the part → what makes it. */
export function siteParts(client: Client, metrics: () => Promise<string>): Record<string, () => Promise<unknown>> {
  return {
    'status.json': () => client.status(),
    'conditions.json': async () => {
      const { conditions, total } = await client.conditions({})
      return { total, conditions: conditions.map((one) => pick(one as unknown as Row, fields.condition)) }
    },
    'agents.json': async () => (await client.query('agent', {})).inventories.map((row) => pick(row, fields.agent)),
    'jobs.json': async () => {
      const { inventories } = await client.query('job', { limit: JOBS, sort: '-createDate' })
      return inventories.map((row) => ({ ...pick(row, fields.job), ...(row['error'] ? { error: errorOf(row['error']) } : {}) }))
    },
    'resources.json': async () => {
      const found = kinds.map(async (kind) => {
        const { inventories, total } = await client.query(kind, { limit: RESOURCES, replyWithCount: true })
        return [kind, { total, rows: inventories.map((row) => pick(row, fields.resource)) }] as const
      })
      return Object.fromEntries(await Promise.all(found))
    },
    'audit.json': async () => {
      const { differences, checked } = await client.auditHosts()
      return { checked, differences: differences.map((row) => pick(row, fields.difference)) }
    },
    'metrics.txt': metrics,
  }
}
