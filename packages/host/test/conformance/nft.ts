/** What every `NftScope` does, in a namespace of its own. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  changePart,
  type NftCommand,
  type NftObject,
  type NftScope,
  nftables as n,
  readTable,
  type TablePart,
} from '../../src/index.ts'

const T = { family: 'inet', name: 'skerry' } as const
const inT = { family: 'inet', table: 'skerry' } as const
const natRule = (comment: string): NftCommand =>
  n.addRule({
    ...inT,
    chain: 'post',
    comment,
    expr: [n.match(n.payload('ip', 'saddr'), '@internal'), n.oifname('wan0'), n.masquerade],
  })

const target = { concat: [n.payload('ip', 'daddr'), n.meta('l4proto'), n.payload('th', 'dport')] }
const whole: NftCommand[] = [
  ...n.dropTable(T),
  n.addTable(T),
  n.addSet({ ...inT, name: 'internal', type: 'ipv4_addr', flags: ['interval'] }),
  n.addMap({ ...inT, name: 'eips', type: 'ipv4_addr', map: 'ipv4_addr' }),
  n.addMap({ ...inT, name: 'toAddress', type: ['ipv4_addr', 'inet_proto', 'inet_service'], map: 'ipv4_addr' }),
  n.addMap({ ...inT, name: 'toPort', type: ['ipv4_addr', 'inet_proto', 'inet_service'], map: 'inet_service' }),
  n.addChain({ ...inT, name: 'pre', type: 'nat', hook: 'prerouting', prio: -100, policy: 'accept' }),
  n.addChain({ ...inT, name: 'post', type: 'nat', hook: 'postrouting', prio: 100, policy: 'accept' }),
  n.addElements({ ...inT, name: 'internal', elem: [n.prefix('10.0.0.0/24'), n.prefix('10.1.0.7/32')] }),
  n.addElements({ ...inT, name: 'eips', elem: [['192.0.2.1', '10.0.0.5']] }),
  n.addElements({ ...inT, name: 'toAddress', elem: [[{ concat: ['192.0.2.1', 'tcp', 80] }, '10.0.0.5']] }),
  n.addElements({ ...inT, name: 'toPort', elem: [[{ concat: ['192.0.2.1', 'tcp', 80] }, 8080]] }),
  n.addRule({
    ...inT,
    chain: 'pre',
    comment: 'forward',
    expr: [n.dnat(n.lookup(target, 'toAddress'), n.lookup(target, 'toPort'))],
  }),
  natRule('skerry:1'),
]

/** Rules of the chain `post`, unless said otherwise. */
const rules = (objects: readonly NftObject[] | undefined, chain = 'post') =>
  (objects ?? []).flatMap((object) => ('rule' in object && object.rule.chain === chain ? [object.rule] : []))
const sorted = (elements: readonly unknown[] | undefined) => elements?.map((element) => JSON.stringify(element)).sort()

export function nftSuite(title: string, make: () => Promise<{ nft: NftScope; cleanUp: () => Promise<void> }>): void {
  describe(`nft (${title})`, () => {
    let nft: NftScope
    let cleanUp: () => Promise<void>
    const elements = (name: string, kind: 'set' | 'map') => nft.elements({ ...inT, name, kind })
    beforeEach(async () => {
      ;({ nft, cleanUp } = await make())
    })
    afterEach(() => cleanUp())

    it('lists nothing at first', async () => {
      expect(await nft.tables()).toEqual([])
      expect(await nft.table(T)).toBeUndefined()
      expect(await elements('internal', 'set')).toBeUndefined()
    })

    it('applies a whole table in one transaction and reads the same objects back', async () => {
      await nft.apply(whole)
      expect(await nft.tables()).toEqual([T])
      const objects = (await nft.table(T)) ?? []
      expect(objects).toEqual(
        expect.arrayContaining([
          { table: expect.objectContaining(T) },
          { set: expect.objectContaining({ ...inT, name: 'internal', type: 'ipv4_addr', flags: ['interval'] }) },
          {
            map: expect.objectContaining({
              ...inT,
              name: 'eips',
              type: 'ipv4_addr',
              map: 'ipv4_addr',
              elem: [['192.0.2.1', '10.0.0.5']],
            }),
          },
          {
            chain: expect.objectContaining({
              ...inT,
              name: 'post',
              type: 'nat',
              hook: 'postrouting',
              prio: 100,
              policy: 'accept',
            }),
          },
          { rule: expect.objectContaining({ ...inT, chain: 'post', comment: 'skerry:1' }) },
        ]),
      )
      const want = (natRule('skerry:1') as { add: { rule: { expr: unknown } } }).add.rule.expr
      expect(rules(objects)[0]?.expr).toEqual(want)
      expect(sorted(await elements('internal', 'set'))).toEqual(sorted(['10.1.0.7', { prefix: { addr: '10.0.0.0', len: 24 } }]))
      expect(rules(objects, 'pre')[0]?.expr).toEqual([n.dnat(n.lookup(target, 'toAddress'), n.lookup(target, 'toPort'))])
      expect(await elements('toPort', 'map')).toEqual([[{ concat: ['192.0.2.1', 'tcp', 80] }, 8080]])
    })

    it('replaces the whole table: no element or rule of before stays', async () => {
      await nft.apply(whole)
      await nft.apply([n.addElements({ ...inT, name: 'eips', elem: [['192.0.2.9', '10.0.0.9']] }), natRule('skerry:2')])
      await nft.apply(whole)
      expect(await elements('eips', 'map')).toEqual([['192.0.2.1', '10.0.0.5']])
      expect(rules(await nft.table(T)).map((rule) => rule.comment)).toEqual(['skerry:1'])
    })

    it('adds and deletes single elements', async () => {
      await nft.apply(whole)
      await nft.apply([
        n.deleteElements({ ...inT, name: 'eips', elem: [['192.0.2.1', '10.0.0.5']] }),
        n.addElements({
          ...inT,
          name: 'eips',
          elem: [
            ['192.0.2.1', '10.0.0.6'],
            ['192.0.2.2', '10.0.0.7'],
          ],
        }),
        n.deleteElements({ ...inT, name: 'internal', elem: [n.prefix('10.0.0.0/24')] }),
      ])
      expect(sorted(await elements('eips', 'map'))).toEqual(
        sorted([
          ['192.0.2.1', '10.0.0.6'],
          ['192.0.2.2', '10.0.0.7'],
        ]),
      )
      expect(await elements('internal', 'set')).toEqual(['10.1.0.7'])
    })

    it('accepts an element that is there, and refuses a map key with another value', async () => {
      await nft.apply(whole)
      await nft.apply([n.addElements({ ...inT, name: 'eips', elem: [['192.0.2.1', '10.0.0.5']] })])
      const clash = n.addElements({ ...inT, name: 'eips', elem: [['192.0.2.1', '10.0.0.99']] })
      await expect(nft.apply([clash])).rejects.toMatchObject({ code: 'host-command-failed' })
    })

    it('changes nothing at all when one command of many fails', async () => {
      await nft.apply(whole)
      const half = [
        n.addElements({ ...inT, name: 'internal', elem: ['10.5.5.5'] }),
        n.deleteElements({ ...inT, name: 'eips', elem: [['192.0.2.200', '10.0.0.5']] }),
      ]
      await expect(nft.apply(half)).rejects.toMatchObject({ code: 'host-command-failed' })
      expect(await elements('internal', 'set')).toHaveLength(2)
    })

    it('only asks in check mode', async () => {
      await nft.apply(whole, { check: true })
      expect(await nft.tables()).toEqual([])
      await nft.apply(whole)
      const missing = n.addRule({ ...inT, chain: 'nowhere', expr: [n.accept] })
      await expect(nft.apply([missing], { check: true })).rejects.toMatchObject({ code: 'host-command-failed' })
    })

    it('deletes one rule by its handle and leaves the others', async () => {
      await nft.apply([...whole, natRule('skerry:2')])
      const first = rules(await nft.table(T)).find((rule) => rule.comment === 'skerry:1')
      await nft.apply([n.deleteRule({ ...inT, chain: 'post', handle: first?.handle ?? 0 })])
      expect(rules(await nft.table(T)).map((rule) => rule.comment)).toEqual(['skerry:2'])
    })

    it('flushes a chain and a set', async () => {
      await nft.apply(whole)
      await nft.apply([n.flushChain({ ...inT, name: 'post' }), n.flushSet({ ...inT, name: 'internal' })])
      expect(rules(await nft.table(T))).toEqual([])
      expect(await elements('internal', 'set')).toEqual([])
    })

    it('drops a table whether it is there or not, and touches no other', async () => {
      const theirs = { family: 'ip', name: 'theirs' } as const
      await nft.apply([n.addTable(theirs), ...whole])
      await nft.apply(n.dropTable(T))
      await nft.apply(n.dropTable(T))
      expect(await nft.tables()).toEqual([theirs])
    })

    it('refuses a rule that names a set or chain that is not there', async () => {
      await nft.apply(whole)
      const noSet = n.addRule({ ...inT, chain: 'post', expr: [n.match(n.payload('ip', 'saddr'), '@none'), n.accept] })
      const noChain = n.addRule({ ...inT, chain: 'post', expr: [n.jump('none')] })
      await expect(nft.apply([noSet])).rejects.toMatchObject({ code: 'host-command-failed' })
      await expect(nft.apply([noChain])).rejects.toMatchObject({ code: 'host-command-failed' })
    })

    it('sends a packet where a map says, and keeps a chain that a map leads to', async () => {
      const V = { family: 'bridge', name: 'cards' } as const
      const inV = { family: 'bridge', table: 'cards' } as const
      const to = { ...inV, name: 'to', elem: [['tap1', n.jump('one')]] as [string, ReturnType<typeof n.jump>][] }
      await nft.apply([
        n.addTable(V),
        n.addMap({ ...inV, name: 'to', type: 'ifname', map: 'verdict' }),
        n.addMap({ ...inV, name: 'marks', type: 'ifname', map: 'mark' }),
        n.addChain({ ...inV, name: 'one' }),
        n.addChain({ ...inV, name: 'fwd', type: 'filter', hook: 'forward', prio: 0, policy: 'accept' }),
        n.addElements(to),
        n.addElements({ ...inV, name: 'marks', elem: [['tap1', 0x5ec10007]] }),
        n.addRule({ ...inV, chain: 'one', expr: [n.match(n.payload('ether', 'type'), n.anyOf('arp', 'ip'), '!='), n.returns] }),
        n.addRule({ ...inV, chain: 'fwd', expr: [n.vmap(n.meta('oifname'), 'to')] }),
        n.addRule({ ...inV, chain: 'fwd', expr: [n.mangle(n.meta('mark'), 7)] }),
      ])
      expect(await nft.elements({ ...inV, name: 'to', kind: 'map' })).toEqual([['tap1', { jump: { target: 'one' } }]])
      expect(await nft.elements({ ...inV, name: 'marks', kind: 'map' })).toEqual([['tap1', 0x5ec10007]])
      expect(rules(await nft.table(V), 'fwd').map((rule) => rule.expr[0])).toEqual([
        n.vmap(n.meta('oifname'), 'to'),
        n.mangle(n.meta('mark'), 7),
      ])
      const dropChain: NftCommand[] = [n.flushChain({ ...inV, name: 'one' }), { delete: { chain: { ...inV, name: 'one' } } }]
      await expect(nft.apply(dropChain)).rejects.toMatchObject({ code: 'host-command-failed' })
      const nowhere = n.addElements({ ...inV, name: 'to', elem: [['tap2', n.jump('none')]] })
      await expect(nft.apply([nowhere])).rejects.toMatchObject({ code: 'host-command-failed' })
      await nft.apply([n.deleteElements(to), ...dropChain])
      expect(await nft.elements({ ...inV, name: 'to', kind: 'map' })).toEqual([])
    })

    it('goes from one state of a table to another with what differs only', async () => {
      const chain = (name: string, ...ports: number[]) => ({
        name,
        rules: ports.map((port) => [n.match(n.payload('tcp', 'dport'), port), n.accept]),
      })
      const set = (...elements: string[]) => ({ name: 'members', type: 'ipv4_addr', elements })
      const go = async (part: TablePart, gone = {}) => {
        const have = readTable((await nft.table(T)) ?? [])
        const commands = changePart(T, have, part, gone)
        await nft.apply(commands)
        return commands.length
      }
      await nft.apply([n.addTable(T)])
      await go({ sets: [set('10.0.0.1')], chains: [chain('a', 22, 80), chain('b', 25)] })
      const first = rules(await nft.table(T), 'a').map((rule) => rule.handle)
      expect(await go({ sets: [set('10.0.0.1')], chains: [chain('a', 22, 80), chain('b', 25)] })).toBe(0)
      expect(await go({ sets: [set('10.0.0.1', '10.0.0.2')], chains: [chain('a', 22, 80), chain('b', 26)] })).toBe(3)
      expect(rules(await nft.table(T), 'a').map((rule) => rule.handle)).toEqual(first)
      const leaving = new Map([['members', ['10.0.0.1']]])
      await go({ sets: [], chains: [chain('a', 22, 80)] }, { leaving, goneChains: ['b', 'never'], goneSets: ['never'] })
      expect(await elements('members', 'set')).toEqual(['10.0.0.2'])
      await go({ sets: [], chains: [] }, { goneChains: ['a'], goneSets: ['members'] })
      expect(readTable((await nft.table(T)) ?? [])).toEqual({ sets: new Map(), chains: new Map() })
    })

    it('refuses names that are not plain', () => {
      expect(() => n.addTable({ family: 'inet', name: 'a b' })).toThrow('not valid')
      expect(() => n.addRule({ ...inT, chain: 'post', comment: 'a\nb', expr: [] })).toThrow('not valid')
      expect(() => n.oifname('eth0; drop')).toThrow('not valid')
    })
  })
}
