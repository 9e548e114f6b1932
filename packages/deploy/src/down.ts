/** `scripts/down`: ends a site and leaves its data; `--purge` removes all that `up` made and nothing else. Wiring. */
import { realHost } from '@skerry/host'
import {
  type DownPorts,
  type DownStep,
  endDaemons,
  endGuests,
  endServices,
  forgetContext,
  removeBridges,
  removeOurDomains,
  removeRouters,
  removeState,
  removeUnits,
} from './down-steps.ts'
import { layoutOf } from './layout.ts'
import { readRecord } from './record.ts'
import { DOWN_USAGE, type DownSettings, readDownSettings } from './settings.ts'
import { failureText, runSteps } from './show.ts'

const END: readonly (readonly [string, DownStep])[] = [
  ['guests', endGuests],
  ['services', endServices],
  ['daemons of routers', endDaemons],
]
const PURGE: readonly (readonly [string, DownStep])[] = [
  ['domains', removeOurDomains],
  ['routers', removeRouters],
  ['bridges and taps', removeBridges],
  ['units', removeUnits],
  ['context of the command line', forgetContext],
  ['state', removeState],
]

async function main(settings: DownSettings): Promise<void> {
  const host = realHost()
  const layout = layoutOf(settings.stateDir)
  const record = await readRecord(host.files, layout)
  if (!record) return void process.stdout.write(`there is no site in ${layout.root}\n`)
  const password = process.env['SKERRY_ADMIN_PASSWORD']
  const down: DownPorts = {
    settings,
    layout,
    host,
    node: process.execPath,
    record,
    passwords: password === undefined ? [] : [password],
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  }
  const steps = settings.purge ? [...END, ...PURGE] : END
  await runSteps(
    steps.map(([title, step]) => ({ title, run: (say) => step(down, say) })),
    process.stdout.isTTY === true,
  )
  const left = settings.purge
    ? 'Removed. Debian packages that up installed stay.'
    : `Stopped. The data is in ${layout.root}; ./scripts/up goes on from there.`
  process.stdout.write(`\n${left}\n`)
}

try {
  const settings = readDownSettings(process.argv.slice(2), process.env)
  if (settings === 'help') process.stdout.write(DOWN_USAGE)
  else await main(settings)
  process.exit(0)
} catch (error) {
  process.stderr.write(`\n${failureText(error)}\n`)
  process.exit(1)
}
