/** The process of one plugin: `child <file>`. It says nothing but answers, over descriptor 3, and ends with its controller. */
import { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import type { Answer, Ask } from './messages.ts'
import type { PluginModule } from './plugin.ts'
import { Refusal, serving } from './serving.ts'

const CONTROLLER = 3
const wire = new Socket({ fd: CONTROLLER })
const say = (message: Answer) => wire.write(`${JSON.stringify(message)}\n`)
const text = (error: unknown) => (error instanceof Error ? error.message : String(error)).slice(0, 2_000)

const file = process.argv[2] ?? ''
let answer: ReturnType<typeof serving> | undefined

async function take(line: string): Promise<void> {
  const { id, ...question } = JSON.parse(line) as Ask
  try {
    answer ??= serving(((await import(pathToFileURL(file).href)) as { default: PluginModule }).default)
    say({ id, ok: (await answer(question as never)) ?? null })
  } catch (error) {
    say({ id, error: { message: text(error), refused: error instanceof Refusal } })
  }
}

console.log =
  console.info =
  console.warn =
  console.error =
    (...words: unknown[]) => void say({ log: words.map(text).join(' ').slice(0, 2_000) })
wire.on('close', () => process.exit(0))
wire.on('error', () => process.exit(0))
createInterface({ input: wire }).on('line', (line) => void take(line))
