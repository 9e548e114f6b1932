/** Passes over a few documents: what is looked at, what is told, and when everything is looked at all the same. */
import { afterEach, describe, expect, test } from 'vitest'
import type { PlanContext, Reconciler } from '../src/index.ts'
import { bench, id, settle } from './fake-host.ts'

let running: Reconciler[] = []
afterEach(async () => {
  for (const r of running.splice(0)) await r.stop()
  running = []
})

/** Two nouns, of which `vm` can be looked at one by one; both note what each look was limited to. */
async function started() {
  const looks: string[] = []
  const looking = (noun: string) => ({
    single: noun === 'vm',
    observe: async (context: PlanContext) => {
      if (b.host.blind) throw b.host.blind
      looks.push(`${noun} ${context.only ? [...context.only].map((uuid) => Number.parseInt(uuid, 16)) : 'all'}`)
      const mine = [...b.host.things].filter(([key]) => key.startsWith(`${noun}/`))
      return mine.map(([key, size]) => ({ uuid: key.slice(noun.length + 1), size }))
    },
  })
  const b = bench(['pool', 'vm'], {}, looking)
  running.push(b.reconciler)
  b.ledger.want('pool', id(1), 1)
  b.ledger.want('vm', id(2), 1)
  b.reconciler.start()
  await b.reconciler.pass()
  b.short()
  looks.splice(0)
  return { ...b, looks, vm: (...numbers: number[]) => numbers.map((n) => ({ noun: 'vm', uuid: id(n) })) }
}

describe('a signal that names documents', () => {
  test('is a pass over these alone', async () => {
    const { host, ledger, reconciler, short, looks, vm } = await started()
    host.things.set(`vm/${id(2)}`, 7) // has drifted, and is for a pass over everything
    ledger.want('vm', id(3), 5)
    reconciler.signal(vm(3))
    await settle()
    expect(looks).toEqual(['vm 3', 'vm 3'])
    expect(host.things.get(`vm/${id(3)}`)).toBe(5)
    expect(host.things.get(`vm/${id(2)}`)).toBe(7)
    expect(short()).toEqual(['vm 3 Ready {"size":5}'])
    await reconciler.pass()
    expect(host.things.get(`vm/${id(2)}`)).toBe(1)
  })

  test('looks at everything where one of them is of a module that can not look at one alone', async () => {
    const { reconciler, looks, vm } = await started()
    reconciler.signal([...vm(2), { noun: 'pool', uuid: id(1) }])
    await settle()
    expect(looks).toEqual(['vm all', 'pool all'])
  })

  test('looks at everything where one of them is buried', async () => {
    const { host, ledger, reconciler, looks, vm } = await started()
    ledger.bury('vm', id(2))
    reconciler.signal(vm(2))
    await settle()
    expect(looks).toContain('pool all')
    expect(host.things.has(`vm/${id(2)}`)).toBe(false)
  })

  test('looks at everything while a noun can not be seen, and is told of it when it can be again', async () => {
    const { host, ledger, reconciler, looks, vm } = await started()
    host.blind = new Error('no sight')
    await reconciler.pass()
    host.blind = undefined
    ledger.want('vm', id(3), 5)
    reconciler.signal(vm(3))
    await settle()
    expect(looks).toContain('pool all')
    expect(reconciler.blind()).toEqual([])
  })

  test('tells of what is on the host without a document, and of its end', async () => {
    const { host, reconciler, short, vm } = await started()
    host.things.set(`vm/${id(9)}`, 1)
    reconciler.signal(vm(9))
    await settle()
    expect(short()).toEqual(['vm 9 Orphaned {"size":1}'])
    host.things.delete(`vm/${id(9)}`)
    reconciler.signal(vm(9))
    await settle()
    expect(short()).toEqual(['vm 9 Gone {}'])
    expect(reconciler.statuses().map(({ uuid }) => uuid)).toEqual([id(1), id(2)])
  })

  test('of a document that fails is tried again in time, by a pass over everything', async () => {
    const { host, ledger, reconciler, looks, time, short, vm } = await started()
    host.failOn.set(id(3), new Error('not today'))
    ledger.want('vm', id(3), 5)
    reconciler.signal(vm(3))
    await settle()
    expect(short()).toEqual([expect.stringContaining('vm 3 Failed')])
    host.failOn.clear()
    looks.splice(0)
    await time.advance(1_000)
    await settle()
    expect(looks).toContain('pool all')
    expect(short()).toEqual(['vm 3 Ready {"size":5}'])
  })
})
