import { z } from 'zod'
import { create, query, remove, update } from '../api.ts'
import { defineResource } from '../resource.ts'
import { line } from '../scalars.ts'

const url = line(2048)
/** Of what it is told: ZStack's word for events of its management node. */
const type = z.enum(['CanonicalEvent'])
/**
 * Which events, as NATS writes it: `vmInstance.*.state-changed`, `host.>`; several with commas, all without one. Noun, uuid, event of
 * `skerry.v1.evt.…`.
 */
const opaque = line(1024)

/** Who is called with each event. One that a single call names (`X-Web-Hook`) is no resource: it hears of that call only. */
export const webhook = defineResource({
  name: 'webhook',
  noun: 'web-hook',
  path: '/web-hooks',
  inventory: { sdk: 'WebhookInventory', java: 'org.zstack.header.core.webhooks.WebhookInventory' },
  summary: 'An URL that is called with events',
  scope: 'admin',
  fields: {
    url,
    type,
    opaque: opaque.nullable(),
    /** id of an event: all up to it were delivered; moved now and then, so that some are told twice after a crash */
    told: z.string(),
  },
  hidden: ['told'],
  edges: {},
  indexes: ['name', 'type'],
  columns: ['name', 'uuid', 'url', 'opaque'],
  apis: [
    create('CreateWebhook', '/web-hooks', {
      of: 'webhook',
      workflow: 'webhook.create',
      params: { url, type, opaque: opaque.optional() },
      summary: 'Call an URL with events from now on',
    }),
    query('QueryWebhook', '/web-hooks', 'webhook'),
    {
      ...update('UpdateWebhook', '/web-hooks/{uuid}', 'webhook', {
        url: url.optional(),
        type: type.optional(),
        opaque: opaque.optional(),
      }),
      workflow: 'webhook.update',
    },
    remove('DeleteWebhook', '/web-hooks/{uuid}', 'webhook'),
  ],
})
