/**
 * Deploy strategy `simulated`: what is added at 127.x.y.z is brought there by a simulator, with credentials of any kind. Only a
 * controller that a simulator started has it; every other one binds what was enrolled.
 */
import { agentKind, type SimulatorFile, SkerryError, simulatedAddress, simulatorPaths } from '@skerry/contract'
import { z } from 'zod'
import type { DeployPort } from '../workflows/world.ts'

export interface SimulatedPorts {
  simulator: SimulatorFile
  fetch: typeof fetch
  /** so many one-time enrolment tokens */
  tokens(count: number): Promise<string[]>
}

/** A machine boots in milliseconds; hundreds at once in some seconds. */
const BRING_MS = 120_000
const refusal = z.object({ message: z.string() })

export function deploySimulated({ simulator, fetch, tokens }: SimulatedPorts): DeployPort {
  const post = (body: unknown) =>
    fetch(simulator.url + simulatorPaths.machines, {
      method: 'POST',
      headers: { authorization: `Bearer ${simulator.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(BRING_MS),
    })
  return {
    covers: (address) => simulatedAddress.safeParse(address).success,
    async bring(address) {
      const kinds = agentKind.options
      const fresh = await tokens(kinds.length)
      const failed = (why: string, cause: unknown) =>
        new SkerryError('agent-absent', `no machine could be simulated at ${address}: ${why}`, { address }, { cause })
      const answer = await post({ address, tokens: Object.fromEntries(kinds.map((kind, i) => [kind, fresh[i]])) }).catch(
        (cause) => {
          throw failed('the simulator does not answer', cause)
        },
      )
      if (answer.ok) return
      const text = await answer.text()
      throw failed(
        `the simulator answered ${answer.status}`,
        new Error(refusal.safeParse(jsonOf(text)).data?.message ?? text.slice(0, 500)),
      )
    },
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // told as the text that it is
  }
}
