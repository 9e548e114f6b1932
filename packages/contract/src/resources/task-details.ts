/** What waits in which queue, and names of resources: what ZStack's clients ask while something takes long. */
import { z } from 'zod'
import { call } from '../api.ts'
import { uuid } from '../scalars.ts'

const task = z.object({ name: z.string(), jobUuid: z.string().optional(), forMs: z.number() })
const chain = z.object({ runningTask: z.array(task), pendingTask: z.array(task) })
const result = { kind: 'fields' as const, schema: z.object({ results: z.record(z.string(), chain) }) }
const signature = z.string().regex(/^[A-Za-z0-9]{1,64}$/, 'must be the key of a queue: a uuid or a word')
const syncSignatures = z.array(signature).max(1_000).optional()
const uuids = z.array(uuid).min(1).max(1_000)

export const getChainTask = call('GetChainTask', 'GET', '/core/task-details', {
  verb: 'queues',
  rights: 'admin',
  params: { syncSignatures },
  result,
  summary: 'What runs and waits in the queues; a queue has the uuid of the resource that its jobs are about',
})
export const getVmTask = call('GetVmTask', 'GET', '/vm-instances/task-details', {
  verb: 'tasks',
  params: { vmInstanceUuids: uuids, syncSignatures },
  result,
  summary: 'What runs and waits for VM instances',
})
export const getHostTask = call('GetHostTask', 'GET', '/hosts/task-details', {
  verb: 'tasks',
  params: { hostUuids: uuids, syncSignatures },
  result,
  summary: 'What runs and waits for hosts',
})
export const getResourceNames = call('GetResourceNames', 'GET', '/resources/names', {
  verb: 'names',
  // Those that are not there are left out.
  names: { uuids: null },
  params: { uuids },
  result: {
    kind: 'fields',
    schema: z.object({ inventories: z.array(z.object({ uuid, resourceName: z.string(), resourceType: z.string() })) }),
  },
  summary: 'Names and kinds of resources by their uuids',
})
