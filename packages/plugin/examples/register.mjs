/**
 * A step of its own in `vm.create`: each new VM is written into a register, here a folder with a file each, as `register.json` says:
 * `{ "folder": "/var/lib/inventory" }`. It goes out again when the creation fails. Its configuration decides whether a VM may be
 * created while the register can't be written (`"essential": true`: it may not).
 * @type {import('@skerry/plugin').PluginModule}
 */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export default ({ folder, essential = false }) => {
  if (typeof folder !== 'string') throw new Error('its configuration must name a folder')
  const fileOf = (uuid) => join(folder, `${uuid}.json`)
  return {
    name: 'register',
    version: '1.0.0',
    summary: 'Writes each new VM instance into a register',
    steps: [
      {
        workflow: 'vm.create',
        name: 'enter',
        after: 'persist',
        essential,
        // Repeated after a crash it writes the same file again.
        async do({ uuid, row, accountUuid }) {
          await mkdir(folder, { recursive: true })
          await writeFile(fileOf(uuid), JSON.stringify({ uuid, name: row?.name, accountUuid }))
          return { file: fileOf(uuid) }
        },
        undo: ({ uuid }) => rm(fileOf(uuid), { force: true }),
      },
      // For workflows of the site: it runs where one of them names `register-note`.
      {
        workflow: 'siteWorkflow.run',
        name: 'note',
        after: 'begin',
        async do({ job, params }) {
          await mkdir(folder, { recursive: true })
          await writeFile(fileOf(`run-${job}`), JSON.stringify(params.parameters))
        },
        undo: ({ job }) => rm(fileOf(`run-${job}`), { force: true }),
      },
    ],
  }
}
