import { leaveOnSignals } from '../sim/leaving.ts'
import { fuzz } from './run.ts'

leaveOnSignals()
const { code } = await fuzz(process.argv.slice(2), { hear: (text) => void process.stdout.write(text) })
process.exitCode = code ?? 1
