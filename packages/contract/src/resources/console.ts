import { z } from 'zod'
import { defineResource } from '../resource.ts'
import { time } from '../scalars.ts'

/** Where and with which one-time token a console opens. Never stored: only the token's hash is. */
export const console = defineResource({
  name: 'console',
  noun: 'console',
  path: '/consoles',
  inventory: { sdk: 'ConsoleInventory', java: 'org.zstack.header.console.ConsoleInventory' },
  summary: 'A way to a VM console',
  scope: { follows: 'vmInstanceUuid', of: 'vmInstance' },
  fields: { scheme: z.string(), hostname: z.string(), port: z.number().int(), token: z.string(), expiredDate: time },
  edges: {},
  indexes: [],
  columns: [],
  apis: [],
})
