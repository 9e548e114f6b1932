/** `skerry get workflows`. */
import { expect, it } from 'vitest'
import { world } from './cli-world.ts'

const look = {
  name: 'look',
  version: 1,
  undo: false,
  noUndo: 'it only looks',
  conditional: false,
  group: null,
  from: null,
  within: [],
}
const boot = {
  name: 'boot',
  version: 2,
  undo: true,
  noUndo: null,
  conditional: true,
  group: 'last',
  from: 'plugin notary',
  within: [{ as: 'net', workflow: 'vm.network' }],
}
const shown = [{ name: 'vm.start', version: 1, steps: [look, boot], finishes: true, apis: ['StartVmInstance'] }]

it('lists workflows, shows one step by step, and draws it', () =>
  world(
    async ({ skerry }) => {
      expect((await skerry('get', 'workflows')).out).toBe(
        'NAME      VERSION  STEPS      APIS\nvm.start  1        look,boot  StartVmInstance\n',
      )
      expect((await skerry('get', 'workflow', 'vm.start')).out).toBe(
        [
          'vm.start, version 1, run by StartVmInstance',
          '',
          'STEP  GROUP  NEEDED     ONFAILURE               FROM',
          'look         always     nothing: it only looks',
          'boot  last   if needed  undone                  plugin notary, workflow vm.network',
          '',
        ].join('\n'),
      )
      expect((await skerry('get', 'workflow', 'vm.start', '--mermaid')).out).toMatch(/^flowchart TD\n/)
      expect(JSON.parse((await skerry('get', 'workflows', '-o', 'json')).out)).toEqual(shown)
      expect((await skerry('get', 'workflows', '-o', 'name')).out).toBe('vm.start\n')
      const { code, err } = await skerry('get', 'workflow', 'vm.strat')
      expect([code, err]).toEqual([3, expect.stringContaining('did you mean vm.start?')])
    },
    { http: { workflows: () => shown } },
  ))
