/** Which hosts a search finds, and in which order. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CapacityTree, hostsWithRoom } from '../src/place/capacity-tree.ts'

const NEED = { cpus: 1, memory: 1, disk: 1 }
const treeOf = (hosts: readonly { vms: number; cpus?: number }[]) => {
  const tree = new CapacityTree()
  for (const [n, { vms, cpus = 8 }] of hosts.entries()) tree.set(`h${n}`, { cpus, memory: 8, disk: 8, vms })
  return tree
}
const first = (tree: CapacityTree, random: () => number) => [...hostsWithRoom([tree], NEED, { any: false, random })][0]!.uuid

describe('a search for hosts with room', () => {
  it('finds each once, those with fewer VMs first, whatever chance says', () => {
    const hosts = fc.array(fc.record({ vms: fc.nat(3), cpus: fc.nat(2) }), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(hosts, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (given, chance) => {
        const found = [...hostsWithRoom([treeOf(given)], NEED, { any: false, random: () => chance })]
        const vms = found.map((one) => one.vms)
        expect(vms).toEqual(vms.toSorted((a, b) => a - b))
        const roomy = given.flatMap(({ cpus }, n) => (cpus >= NEED.cpus ? [`h${n}`] : []))
        expect(found.map(({ uuid }) => uuid).sort()).toEqual(roomy.sort())
      }),
    )
  })

  it('spreads VMs that are placed in one moment over hosts that are equally good', () => {
    const tree = treeOf(Array.from({ length: 50 }, (_, n) => ({ vms: n < 40 ? 2 : 3 })))
    const chosen = Array.from({ length: 400 }, (_, n) => first(tree, () => ((n * 2_654_435_761) % 2 ** 32) / 2 ** 32))
    expect(new Set(chosen).size, 'each of the forty').toBe(40)
    const most = Math.max(...[...new Set(chosen)].map((uuid) => chosen.filter((one) => one === uuid).length))
    expect(most).toBeLessThanOrEqual(40)
  })
})
