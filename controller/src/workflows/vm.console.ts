/** Access to a console: a one-time token. It is made when the job has ended and lives in memory only: no log ever holds it. */
import { SkerryError } from '@skerry/contract'
import { defineWorkflow } from '@skerry/workflow'
import { input } from './input.ts'
import { type Action, type Ctx, type Input, need, type World } from './world.ts'

export const vmConsole: Action = {
  workflow: defineWorkflow<Input, World>({
    name: 'vm.console',
    version: 1,
    input,
    steps: [
      {
        name: 'look',
        noUndo: 'it only looks',
        do: (ctx: Ctx) => {
          const vm = need(ctx.world.graph, 'vmInstance', ctx.input.params['vmInstanceUuid'])
          if (vm['state'] !== 'Running')
            throw new SkerryError(
              'vm-illegal-state',
              `VM instance ${vm['name']} is ${vm['state']}: only a running one has a console`,
              { uuid: vm['uuid'], state: vm['state'], allowed: ['Running'] },
            )
        },
      },
    ],
  }),
  check: ({ graph, params }) => void need(graph, 'vmInstance', params['vmInstanceUuid']),
}
