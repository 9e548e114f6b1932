/** `scripts/down` of a simulated site: ends its simulator, and with `--purge` removes its folder and the command line's context. */
import { CheckedFile } from '@skerry/agent'
import { SkerryError } from '@skerry/contract'
import { realHost } from '@skerry/host'
import { z } from 'zod'
import { endSimulator } from './site/end.ts'
import { failureText } from './site/failure.ts'
import { simulatedLayout, siteRecord } from './site/layout.ts'

const USAGE = `usage: scripts/down [--purge]
  --purge                also remove all that the simulated site keeps, and nothing else
  SKERRY_STATE_DIR       which site ($XDG_STATE_HOME/skerry-simulated, ~/.local/state/skerry-simulated)
`
const contexts = z.object({ current: z.string(), contexts: z.record(z.string(), z.unknown()) })
const { files } = realHost()

async function main(stateDir: string, purge: boolean): Promise<void> {
  const layout = simulatedLayout(stateDir)
  const text = await files.read(layout.record)
  if (text === undefined) throw new SkerryError('not-found', `there is no simulated site in ${stateDir}`, { path: stateDir })
  const record = siteRecord.parse(JSON.parse(text))
  await endSimulator(realHost(), layout)
  if (!purge) return say(`the simulated site is down; its data is in ${stateDir}`)
  if (record.cliConfig !== null) await removeContext(record.cliConfig, record.context)
  await files.remove(stateDir)
  await files.remove(`${stateDir}.lock`) // the launcher's; it goes on holding it until we end
  say(`the simulated site and ${stateDir} are gone`)
}

const say = (line: string) => void process.stdout.write(`${line}\n`)

/** A person's own contexts stay. */
async function removeContext(folder: string, name: string): Promise<void> {
  const file = new CheckedFile(files, `${folder}/contexts.json`, contexts)
  const data = await file.read()
  if (!data || !(name in data.contexts)) return
  const { [name]: _ours, ...rest } = data.contexts
  const [next] = Object.keys(rest)
  if (next === undefined) return file.remove()
  await file.write({ current: data.current === name ? next : data.current, contexts: rest })
  await files.remove(`${folder}/contexts.json.prev`) // it still holds our session
}

try {
  const [argv, stateDir] = [process.argv.slice(2), process.env['SKERRY_STATE_DIR'] ?? '']
  const unknown = argv.filter((arg) => !['--purge', '--help', '-h'].includes(arg))
  if (unknown.length > 0)
    throw new SkerryError('invalid-argument', `unknown argument ${unknown.join(' ')}; there is --purge and --help`)
  if (argv.includes('--help') || argv.includes('-h')) process.stdout.write(USAGE)
  else await main(stateDir, argv.includes('--purge'))
  process.exit(0)
} catch (error) {
  process.stderr.write(`\n${failureText(error)}\n`)
  process.exit(1)
}
