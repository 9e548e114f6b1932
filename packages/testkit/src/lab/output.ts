/** A program's output, from the files in the shared folder that it writes to. */
import { readFile } from 'node:fs/promises'

type Stream = 'stdout' | 'stderr'
export type OnOutput = (text: string, stream: Stream) => void
export type Output = Record<Stream, () => Promise<string>>

/** Tells what is new since it told last; one after another. */
export function teller(process: Output, onOutput: OnOutput | undefined): () => Promise<void> {
  const told = { stdout: 0, stderr: 0 }
  const tell = async (stream: 'stdout' | 'stderr') => {
    const all = await process[stream]()
    if (all.length > told[stream]) onOutput?.(all.slice(told[stream]), stream)
    told[stream] = all.length
  }
  let telling = Promise.resolve()
  return () => {
    if (onOutput) telling = telling.then(() => tell('stdout')).then(() => tell('stderr'))
    return telling
  }
}

/** Empty where there is no such file yet. */
export async function text(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}
