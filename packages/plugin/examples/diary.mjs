/**
 * It only observes: a line for each thing that happens to VM instances and hosts, in the file that `diary.json` names:
 * `{ "file": "/var/log/skerry-diary.log" }`. Nothing waits for it.
 * @type {import('@skerry/plugin').PluginModule}
 */
import { appendFile } from 'node:fs/promises'

export default ({ file }) => {
  if (typeof file !== 'string') throw new Error('its configuration must name a file')
  return {
    name: 'diary',
    version: '1.0.0',
    summary: 'Writes down what happens to VM instances and hosts',
    observes: {
      events: ['vmInstance.>', 'host.>'],
      async observe(events) {
        const lines = events.map(({ at, noun, uuid, event }) => `${new Date(at).toISOString()} ${noun} ${uuid} ${event}\n`)
        await appendFile(file, lines.join(''))
      },
    },
  }
}
