/** A deletion that takes guests or disks along, typed by a person. */
import { describe, expect, it } from 'vitest'
import { type World, world } from './cli-world.ts'

const asked: string[] = []
const person = (answer: string | undefined) => ({
  tty: true,
  ask: async (question: string) => {
    asked.push(question)
    return answer
  },
})

function ground({ engine }: World) {
  asked.length = 0
  const { uuid } = engine.add('host', { name: 'h1' })
  engine.cascade = [
    { resource: 'volume', uuid: 'v', name: 'ROOT-for-web', action: 'delete' },
    { resource: 'vmInstance', uuid: 'w', name: 'web', action: 'delete' },
    { resource: 'agent', uuid: 'a', name: 'kvm', action: 'detach' },
    { resource: 'host', uuid: String(uuid), name: 'h1', action: 'delete' },
  ]
}
const deletions = ({ engine }: World) => engine.calls.filter(({ api }) => api.api === 'DeleteHost').length

describe('a deletion that takes more along', () => {
  it('is asked for at a screen, and no is the answer that changes nothing', async () => {
    for (const [answer, code] of [
      ['y', 0],
      ['yes', 0],
      ['', 2],
      ['no', 2],
    ] as const)
      await world(
        async (w) => {
          ground(w)
          expect(await w.skerry('delete', 'host', 'h1'), answer).toMatchObject({ code })
          expect(asked).toEqual(['this deletes for good also: volume ROOT-for-web, VM web. Go on? [y/N] '])
          expect(deletions(w)).toBe(code === 0 ? 1 : 0)
        },
        { io: person(answer) },
      )
  })

  it('is not asked for with --yes, in a dry run, where nobody can be asked, or where only the thing itself goes', () =>
    world(
      async (w) => {
        ground(w)
        expect((await w.skerry('delete', 'host', 'h1', '--yes')).code).toBe(0)
        expect((await w.skerry('delete', 'host', 'h1', '--dry-run')).code).toBe(0)
        w.io.tty = false
        expect((await w.skerry('delete', 'host', 'h1')).code).toBe(0)
        w.io.tty = true
        w.engine.cascade = w.engine.cascade.slice(-2)
        expect((await w.skerry('delete', 'host', 'h1')).code).toBe(0)
        expect(asked).toEqual([])
      },
      { io: person('no') },
    ))
})
