/** What is known of the way to one agent: what is to be sent, what it took, what it was last found to hold. */
import { SkerryError } from '@skerry/contract'

export interface Link {
  dirty: Set<string>
  running: Promise<void> | undefined
  /** how many deliveries began: what an agent listed before one of them says nothing about what came with it */
  deliveries: number
  comparing: boolean
  /** seq of the documents that the agent took from us */
  taken: Map<string, number>
  /** of the documents that it should have; undefined: they, or what it reads, have changed since it was computed */
  digest: string | undefined
  /** incarnation and digest at which it was last found to have all of them */
  agreed: string
  /** pair of digests that were compared and could not be brought together: not compared again until one changes */
  settled: string
}

export const newLink = (): Link => ({
  dirty: new Set(),
  running: undefined,
  deliveries: 0,
  comparing: false,
  taken: new Map(),
  digest: undefined,
  agreed: '',
  settled: '',
})

export const unheard = (error: unknown) => error instanceof SkerryError && error.code === 'hosts-unheard'

export const unreachable = (error: unknown) =>
  error instanceof SkerryError && (error.code === 'agent-unreachable' || error.code === 'agent-timeout')

/** It will take the same documents some other time: nothing is wrong with them. */
export const passing = (error: unknown) => unreachable(error) || (error instanceof SkerryError && error.code === 'disk-full')
