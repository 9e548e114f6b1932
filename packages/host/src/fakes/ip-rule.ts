/** Rules of policy routing in memory: they live and die with their namespace. */
import { isSameRule, type Routing, type RoutingRule, ruleInput } from '../ip-rule.ts'
import { checkInput } from '../parse-json.ts'
import type { Gate } from './gate.ts'
import type { FakeNetwork } from './ip.ts'

const OWN: readonly RoutingRule[] = [
  { priority: 0, table: 'local' },
  { priority: 32_766, table: 'main' },
  { priority: 32_767, table: 'default' },
]

export function fakeRouting(net: FakeNetwork, gate: Gate): Routing {
  const rules = new WeakMap<object, RoutingRule[]>()
  const at = (netns: string) => rules.get(net.in(netns)) ?? [...OWN]
  return {
    at: (netns = '') =>
      gate.wrap('routing', {
        list: async () => at(netns).map((rule) => ({ ...rule })),
        async add(input: RoutingRule) {
          const rule = checkInput('routing rule', input, ruleInput)
          const others = at(netns).filter((other) => !isSameRule(rule)(other))
          rules.set(
            net.in(netns),
            [...others, rule].sort((a, b) => a.priority - b.priority),
          )
        },
        async del(input: RoutingRule) {
          const rule = checkInput('routing rule', input, ruleInput)
          rules.set(
            net.in(netns),
            at(netns).filter((other) => !isSameRule(rule)(other)),
          )
        },
      }),
  }
}
