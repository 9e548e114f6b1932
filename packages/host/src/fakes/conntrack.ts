/** Tracked connections in memory: tests put them there. */
import { type Conntrack, type FlowMatch, flowMatch } from '../conntrack.ts'
import { checkInput } from '../parse-json.ts'

export interface FakeFlow {
  source: string
  destination: string
  answeredTo: string
  protocol: 'tcp' | 'udp'
  port: number
}

/** By namespace; '' is the host's own. */
export type FakeFlows = Map<string, FakeFlow[]>

export const fakeConntrack = (flows: FakeFlows): Conntrack => ({
  at: (netns = '') => ({
    async forget(input) {
      const match = checkInput('flows', input, flowMatch)
      const there = flows.get(netns) ?? []
      const left = there.filter((flow) => !fits(match, flow))
      flows.set(netns, left)
      return there.length - left.length
    },
  }),
})

const fits = ({ ports, ...match }: FlowMatch, flow: FakeFlow) =>
  Object.entries(match).every(([field, value]) => value === undefined || flow[field as keyof FakeFlow] === value) &&
  (!ports || (flow.port >= ports.from && flow.port <= ports.to))
