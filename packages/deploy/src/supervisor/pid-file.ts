/** `<run>/<name>.pid`: which process a service is. Pid and start time together, because pids are used again. */
import type { Files, Processes, ProcessIdentity } from '@skerry/host'
import { z } from 'zod'

const pidFile = z.object({ pid: z.number().int().positive(), startTicks: z.number(), hash: z.string() })
export type Recorded = z.infer<typeof pidFile>

export const pidPath = (runDir: string, name: string) => `${runDir}/${name}.pid`

/** The process if it still runs. A file that can't be read names nobody. */
export async function findRecorded(ports: { files: Files; processes: Processes }, path: string): Promise<Recorded | undefined> {
  const text = await ports.files.read(path)
  if (text === undefined) return undefined
  const parsed = pidFile.safeParse(parseJson(text))
  if (!parsed.success) return undefined
  const there = await ports.processes.get(parsed.data.pid)
  return there?.startTicks === parsed.data.startTicks ? parsed.data : undefined
}

export async function record(files: Files, path: string, who: ProcessIdentity & { hash: string }): Promise<void> {
  await files.write(path, `${JSON.stringify({ pid: who.pid, startTicks: who.startTicks, hash: who.hash })}\n`, 0o644)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // torn or foreign: it names nobody, and the service is started anew
  }
}
