import { z } from 'zod'
import { changeState, query } from '../api.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'

/** What was loaded at the controller's start; rows follow that. Ours. */
export const plugin = defineResource({
  name: 'plugin',
  noun: 'plugin',
  path: '/plugins',
  summary: 'What adds strategies, tags and steps of workflows to a site',
  scope: 'admin',
  fields: {
    state: enabledState,
    /** Degraded: its last call failed, `cause` says how */
    status: z.enum(['Ready', 'Degraded']),
    cause: z.string().nullable(),
    version: z.string(),
    /** as offerings name them: `<plugin>:<strategy>` */
    strategies: z.array(z.string()),
    /** as disk offerings name them */
    storageStrategies: z.array(z.string()).optional(),
    /** forms of system tags, by table of the resources that may have them */
    tagPatterns: z.array(z.object({ resource: z.string(), pattern: z.string() })),
    /** `<workflow>/<plugin>-<step>` */
    steps: z.array(z.string()),
    /** what it is told of, as patterns of events */
    events: z.array(z.string()).optional(),
    /** events since the controller's start that it could not be told, because it was too slow or failed */
    droppedEvents: z.number().int().optional(),
  },
  states: enabledDisabled,
  edges: {},
  indexes: ['name', 'state', 'status'],
  columns: ['name', 'uuid', 'state', 'status', 'version', 'cause'],
  apis: [
    { ...query('QueryPlugin', '/plugins', 'plugin'), own: true },
    {
      ...changeState('ChangePluginState', '/plugins/{uuid}/actions', 'plugin', ['enable', 'disable']),
      own: true,
      summary: 'Go on without a plugin, or with it again: new jobs run without its steps, its tags and strategies are refused',
    },
  ],
})
