/** Completion: what is offered where, from contract and controller. */
import { apis } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { forBash, wordsOf } from '../src/completion/words.ts'
import { commandsOf, verbs } from '../src/verbs.ts'
import { type World, world } from './cli-world.ts'

/** What a shell is offered behind these words, the last of which is being typed. */
async function offered({ skerry }: World, ...words: string[]): Promise<string[]> {
  const { code, out, err } = await skerry('__complete', 'fish', ...words)
  expect({ code, err }).toEqual({ code: 0, err: '' })
  const [how, ...lines] = out.trimEnd().split('\n')
  return [how ?? '', ...lines.map((line) => line.split('\t')[0] ?? '')]
}

describe('what is offered', () => {
  it('is every verb and command, every noun of each verb, and every flag of each', () =>
    world(async (w) => {
      const top = await offered(w, '')
      for (const one of [...verbs(), 'why', 'logs', 'top', 'console', 'completion']) expect(top).toContain(one)
      for (const verb of verbs())
        expect(await offered(w, verb, '')).toEqual([
          ...['space', ...commandsOf(verb).map(({ noun }) => noun)],
          ...(verb === 'get' ? ['workflow'] : []),
        ])
      const flags = await offered(w, 'create', 'vm', 'x', '--')
      for (const flag of ['--image', '--l3-networks', '--wait', '--output']) expect(flags).toContain(flag)
      expect(await offered(w, 'create', 'vm', 'x', '--image', 'i', '--imag')).toEqual(['space'])
      expect(await offered(w, 'create', 'vm', 'x', '--l3-networks', 'i', '--l3')).toContain('--l3-networks')
    }))
  it('is the names of resources, and the uuids of those that share a name', () =>
    world(async (w) => {
      for (const name of ['debian 12', 'tiny']) w.engine.add('image', { name })
      const twins = [w.engine.add('l3Network', { name: 'lan' }), w.engine.add('l3Network', { name: 'lan' })].map((r) => r['uuid'])
      w.engine.add('l3Network', { name: 'dmz' })
      expect(await offered(w, 'create', 'vm', 'x', '--image', '')).toEqual(['space', 'debian 12', 'tiny'])
      expect(await offered(w, 'create', 'vm', 'x', '--image=ti')).toEqual(['space', '--image=tiny'])
      expect(await offered(w, 'create', 'vm', 'x', '--l3-networks', 'dmz,')).toEqual(
        expect.arrayContaining(['space', 'dmz,dmz', `dmz,${twins[0]}`, `dmz,${twins[1]}`]),
      )
      expect(await offered(w, 'delete', 'image', 'd')).toEqual(['space', 'debian 12'])
      expect(await offered(w, 'why', 'image', 't')).toEqual(['space', 'tiny'])
    }))
  it('is only what the call can be made for', () =>
    world(async (w) => {
      for (const [name, state] of [
        ['on', 'Running'],
        ['off', 'Stopped'],
        ['dead', 'Destroyed'],
      ])
        w.engine.add('vmInstance', { name, state })
      expect(await offered(w, 'recover', 'vm', '')).toEqual(['space', 'dead'])
      expect(await offered(w, 'stop', 'vm', '')).not.toContain('dead')
      expect((await offered(w, 'get', 'vm', '')).sort()).toEqual(['dead', 'off', 'on', 'space'])
      expect((await offered(w, 'console', '')).sort()).toEqual(['dead', 'off', 'on', 'space'])
    }))
  it('is states and choices of the contract, and fields', () =>
    world(async (w) => {
      expect(await offered(w, 'stop', 'vm', 'x', '--type', '')).toEqual(['space', 'grace', 'cold'])
      expect(await offered(w, 'create', 'zone', 'z', '--is-default', '')).toEqual(['space', 'true', 'false'])
      expect(await offered(w, 'get', 'vm', '-q', 'state=Run')).toEqual(['space', 'state=Running'])
      expect(await offered(w, 'get', 'vm', '-q', 'memoryS')).toEqual(['nospace', 'memorySize='])
      expect(await offered(w, 'get', 'vm', '--columns', 'name,stat')).toEqual(['space', 'name,state', 'name,stateCause'])
      expect(await offered(w, 'get', 'vm', '-o', 'y')).toEqual(['space', 'yaml'])
      expect(await offered(w, 'get', 'host', '--columns', 'passw')).toEqual(['space'])
      expect(await offered(w, 'login', '--ca', '')).toEqual(['files'])
    }))
  it('covers each flag that takes a resource: a new API needs no word here', () =>
    world(async (w) => {
      let seen = 0
      for (const { api } of apis.filter(({ api: { verb } }) => verb === 'create'))
        for (const name of Object.keys(api.params.shape).filter((param) => /^(zone|cluster|host|image)Uuid$/.test(param))) {
          const table = name.slice(0, -4)
          w.engine.add(table, { name: `of-${api.api}` })
          const noun = commandsOf('create').find((one) => one.apis.some((known) => known.api === api.api))!.noun
          expect(await offered(w, 'create', noun, 'x', `--${table}`, `of-${api.api}`), api.api).toEqual([
            'space',
            `of-${api.api}`,
          ])
          seen += 1
        }
      expect(seen).toBeGreaterThan(3)
    }))
  it('is nothing, in silence, where the controller is away or refuses', () =>
    world(
      async (w) => {
        expect(await offered(w, 'get', 'vm', '')).toEqual(['space'])
        expect(await offered(w, 'get', '--no-such-flag', '')).toContain('vm')
        expect(await offered(w, 'fly', 'vm', '')).toEqual(['space'])
      },
      { io: { fetch: async () => Promise.reject(new TypeError('refused')) } },
    ))
})

describe('a line of bash', () => {
  it('is split as bash splits it', () => {
    expect(wordsOf(`skerry get vm 'a b' c\\ d "e\\"f" ''  g`)).toEqual(['skerry', 'get', 'vm', 'a b', 'c d', 'e"f', '', 'g'])
    expect(wordsOf('skerry get ')).toEqual(['skerry', 'get', ''])
  })
  it('gets back what stands behind the last break, escaped', () => {
    expect(forBash('debian 12 (x)', '', ' =:')).toBe('debian\\ 12\\ \\(x\\)')
    expect(forBash('--image=a b', '--image=a', ' =:')).toBe('a\\ b')
    expect(forBash('--image=a b', '--image=a', ' ')).toBe('--image=a\\ b')
  })
})

describe('the scripts', () => {
  it('are printed for each shell, and ask this program; others are refused', () =>
    world(async ({ skerry }) => {
      for (const shell of ['bash', 'zsh', 'fish'] as const) {
        const { code, out } = await skerry('completion', shell)
        expect(code).toBe(0)
        expect(out).toContain(`__complete ${shell}`)
        expect(out).not.toMatch(/undefined|\[object/)
      }
      expect((await skerry('completion', 'csh')).code).toBe(2)
    }))
})
