/** Replaces the site's certificate authority, phase by phase; a run that was cut off is gone on with by the next. */
import { SkerryError } from '@skerry/contract'
import { beginCaRotation, type CaPhase, caPhase, endCaPhase } from '../site/ca-rotation.ts'
import { prepareKeys } from './ground.ts'
import { openSession, startAgents, startCore } from './services.ts'
import { need, type Say, type Step, type Up, waitUntil } from './state.ts'

const FOLLOW_MS = 120_000
const DOING: Record<CaPhase, string> = {
  trust: 'everybody learns of the new authority',
  switch: 'the servers show new certificates',
  forget: 'nobody trusts the old authority any more',
}

export const renewCa: Step = async (up, say) => {
  const ports = { files: up.host.files, layout: up.layout }
  if (up.settings.renewCa) await beginCaRotation(ports)
  for (let phase = await caPhase(ports); phase !== undefined; phase = await caPhase(ports)) {
    say(DOING[phase])
    await need(up, 'endSession')()
    await prepareKeys(up, say)
    await startCore(up, say)
    // what it trusts is another now
    await openSession(up, say)
    await startAgents(up, say)
    if (phase !== 'switch') await everyAgentFollows(up, say)
    await endCaPhase(ports)
  }
}

/** With its new key each agent is given what to trust. */
async function everyAgentFollows(up: Up, say: Say): Promise<void> {
  const client = need(up, 'client')
  let pending: string[] = []
  // One that was begun before may have told some agents of the authorities as they were then.
  const noneRuns = async () => {
    const { inventories } = await client.query('keyRotation', { q: ['state=Running'] })
    pending = inventories.flatMap((row) => row['pending'] as string[])
    if (pending.length > 0) say(`waits for ${pending.length} agents`)
    return inventories.length === 0
  }
  const why = async () =>
    new SkerryError('not-ready', `${pending.length} agents have not followed`, {
      pending,
      remedy: 'bring them back (skerry get agent), or delete those that are gone, and run up again: it goes on from here',
    })
  await waitUntil(up, noneRuns, { timeoutMs: FOLLOW_MS, why })
  await client.call('RotateKeys', { what: 'agents' })
  await waitUntil(up, noneRuns, { timeoutMs: FOLLOW_MS, why })
}
