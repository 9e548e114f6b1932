/** What the controller does by the clock: old sessions, tokens and jobs go; destroyed VMs and deleted images are expunged in time. */
import type { Op, Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'

/** ZStack vm.expungePeriod / image.expungePeriod */
export const EXPUNGE_VM_MS = 604_800_000
export const EXPUNGE_IMAGE_MS = 259_200_000
/** Finished jobs that are kept (DESIGN §5), and how many may be dropped in one commit. */
const KEEP_JOBS = 20_000
const BATCH = 1_000

/** Rows that nobody needs any more. Pure. */
export function outdated(graph: Graph, now: number, keepJobs = KEEP_JOBS): Op[] {
  const ops: Op[] = []
  const drop = (t: string, k: string) => ops.push({ o: 'del', t, k })
  for (const [key, row] of graph.rows('session')) if ((row['expiredDate'] as number) <= now) drop('session', key)
  for (const [key, row] of graph.rows('agentToken')) if ((row['expiresAt'] as number) <= now) drop('agentToken', key)
  const over = graph.countBy('job', 'state', 'done') + graph.countBy('job', 'state', 'failed') - keepJobs
  if (over > 0) {
    const ended = ['done', 'failed']
      .flatMap((state) => [...graph.by('job', 'state', state)])
      .map((k) => graph.get('job', k)! as Row)
    ended.sort((a, b) => (a['finishedAt'] as number) - (b['finishedAt'] as number))
    for (const job of ended.slice(0, Math.min(over, BATCH))) {
      drop('job', job['uuid'] as string)
      for (const key of graph.by('callKey', 'job', job['uuid'])) drop('callKey', key)
    }
  }
  return ops
}

/** Resources whose time to be recovered is over: `{ api, uuid }` of the calls to make. Pure. */
export function dueForExpunge(graph: Graph, now: number): { api: 'ExpungeVmInstance' | 'ExpungeImage'; uuid: string }[] {
  const vms = [...graph.by('vmInstance', 'state', 'Destroyed')].filter(
    (k) => now - ((graph.get('vmInstance', k)?.['destroyedAt'] as number | null) ?? now) > EXPUNGE_VM_MS,
  )
  const images = [...graph.by('image', 'status', 'Deleted')].filter(
    (k) => now - ((graph.get('image', k)?.['deletedAt'] as number | null) ?? now) > EXPUNGE_IMAGE_MS,
  )
  return [
    ...vms.map((uuid) => ({ api: 'ExpungeVmInstance' as const, uuid })),
    ...images.map((uuid) => ({ api: 'ExpungeImage' as const, uuid })),
  ]
}
