import { z } from 'zod'
import { attach } from '../api.ts'
import { defineResource } from '../resource.ts'
import { ipv4, port, time, uuid } from '../scalars.ts'

/** With which one-time token a connection to a guest opens, through the router of its network. Never stored: only the token's hash is. */
export const tunnel = defineResource({
  name: 'tunnel',
  noun: 'tunnel',
  path: '/tunnels',
  summary: 'A way to a TCP port of a guest, whose network nobody outside can reach',
  scope: { follows: 'vmInstanceUuid', of: 'vmInstance' },
  fields: { token: z.string(), address: ipv4, port, expiredDate: time },
  edges: {},
  indexes: [],
  columns: [],
  apis: [
    {
      ...attach('RequestTunnel', 'POST', '/tunnels', {
        of: 'tunnel',
        workflow: 'vm.tunnel',
        verb: 'tunnel-access',
        params: {
          vmInstanceUuid: uuid,
          port,
          /** of which card; default: the first whose network has a router */
          vmNicUuid: uuid.optional(),
        },
        summary: 'Get a one-time token for a connection to one TCP port of a running VM instance',
      }),
      own: true,
    },
  ],
})
