/** What a restore says to a person. */
import type { Restored } from './restore.ts'

export function restoredText({ header, incarnation, failedJobs, agents, kept }: Restored): string {
  const lines = [
    `restored the backup of ${new Date(header.at).toISOString()} (seq ${header.seq}); this is incarnation ${incarnation}`,
    ...(failedJobs > 0 ? [`${failedJobs} jobs were under way then: they have failed (skerry get job -q state=failed)`] : []),
    `${agents} agents are asked what they hold before anything is sent to them; guests run on`,
    'what was made after the backup: skerry get orphans, then skerry adopt orphan or skerry remove orphan',
    ...kept.map((path) => `kept: ${path}`),
  ]
  return `${lines.join('\n')}\n`
}
