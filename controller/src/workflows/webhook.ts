/** Web hooks: rows; what calls them is in controller/src/webhooks. */
import { checkWebhook } from '../webhooks/pattern.ts'
import { creation } from './resource.create.ts'
import { resourceUpdating } from './resource.update.ts'
import { type Action, need } from './world.ts'

export const webhooks: readonly Action[] = [
  creation({
    workflow: 'webhook.create',
    table: 'webhook',
    row: ({ input: { params }, world: { graph } }) => ({
      url: params['url'],
      type: params['type'],
      opaque: params['opaque'] ?? null,
      told: `${graph.seq}.0`,
    }),
    check: ({ params }) => checkWebhook(params),
  }),
  resourceUpdating('webhook.update', {
    also: () => ({}),
    check: ({ graph, params, uuid }) => {
      need(graph, 'webhook', uuid)
      checkWebhook(params)
    },
  }),
]
