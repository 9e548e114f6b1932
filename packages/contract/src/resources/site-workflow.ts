import { z } from 'zod'
import { action, query } from '../api.ts'
import { defineResource } from '../resource.ts'
import { line, name } from '../scalars.ts'

/** Workflows that only a file of the site declares; rows follow the files at the controller's start. Ours. */
export const siteWorkflow = defineResource({
  name: 'siteWorkflow',
  noun: 'site-workflow',
  path: '/site-workflows',
  summary: 'A workflow of the site, declared in a file',
  scope: 'admin',
  uniqueName: true,
  fields: {
    /** what a run must be given: `text`, `number`, `boolean`, or the resource whose uuid it is */
    parameters: z.array(z.object({ name: z.string(), type: z.string() })),
    /** names of its steps, in order */
    steps: z.array(z.string()),
  },
  edges: {},
  indexes: ['name'],
  columns: ['name', 'uuid', 'description'],
  apis: [
    { ...query('QuerySiteWorkflow', '/site-workflows', 'siteWorkflow'), own: true },
    {
      ...action('RunSiteWorkflow', '/site-workflows/{uuid}/actions', {
        of: 'siteWorkflow',
        workflow: 'siteWorkflow.run',
        verb: 'run',
        params: { parameters: z.record(name, z.union([line(500), z.number(), z.boolean()])).optional() },
        summary: 'Do what a workflow of the site says, with these parameters; what was done is undone where a step fails',
      }),
      own: true,
    },
  ],
})
