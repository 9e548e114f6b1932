/** The running simulator of a state folder, as `up`, `down` see it: through its own door. */
import { healthReply, type SimulatorFile, simulatorFile, simulatorPaths } from '@skerry/contract'
import type { Files } from '@skerry/host'
import type { z } from 'zod'
import type { SimulatedLayout } from './layout.ts'

const ASK_MS = 5_000

export type Health = z.infer<typeof healthReply>

export interface FoundSimulator {
  health: Health
  stop(): Promise<void>
}

/** Undefined: none runs there. A file that a killed one has left names nobody. */
export async function findSimulator(files: Files, layout: SimulatedLayout): Promise<FoundSimulator | undefined> {
  const text = await files.read(layout.door)
  if (text === undefined) return undefined
  const here = simulatorFile.parse(JSON.parse(text))
  const answer = await ask(here, 'GET', simulatorPaths.health).catch(() => undefined) // nobody listens there any more
  if (!answer?.ok) return undefined
  const health = healthReply.parse(await answer.json())
  return { health, stop: async () => void (await ask(here, 'POST', simulatorPaths.stop)) }
}

function ask({ url, token }: SimulatorFile, method: string, path: string): Promise<Response> {
  const headers = { authorization: `Bearer ${token}` }
  return fetch(url + path, { method, headers, signal: AbortSignal.timeout(ASK_MS) })
}
