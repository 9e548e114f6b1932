import { fuzz } from './run.ts'

const { code } = await fuzz(process.argv.slice(2), (text) => void process.stdout.write(text))
process.exitCode = code ?? 1
