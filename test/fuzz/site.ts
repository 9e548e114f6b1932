/** The process of the site, as the driver holds it. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { whenLeaving } from '../sim/leaving.ts'
import type { Asks, Started } from './site-process.ts'

export interface Site extends Started {
  ask<K extends keyof Asks>(ask: K): Promise<Asks[K]>
  /** how it ended; while it runs, this does not resolve */
  ended: Promise<string>
}

/**
 * @param file its program
 * @param traced stacks name the lines of the sources. The map for that takes more memory than the site, from the first stack that is
 *   looked at on: where memory is judged, there is none.
 */
export async function startSite(file: string, traced: boolean): Promise<Site> {
  const child = fork(file, [], {
    execArgv: ['--expose-gc', ...(traced ? ['--enable-source-maps'] : [])],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const stayed = whenLeaving(() => child.kill())
  const ended = once(child, 'exit').then(([code, signal]) => {
    stayed()
    return `the site's process ended with ${signal ?? code}`
  })
  const first = (await Promise.race([once(child, 'message'), ended])) as [{ started: Started }] | string
  if (typeof first === 'string') throw new Error(first)
  return { ...first[0].started, ended, ask: asking(child, ended) }
}

type Told = { id: number; told: unknown } | { id: number; failed: string }

function asking(child: ChildProcess, ended: Promise<string>): Site['ask'] {
  const waiting = new Map<number, { resolve(told: unknown): void; reject(error: Error): void }>()
  let next = 0
  child.on('message', (answer: Told) => {
    const asked = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ('failed' in answer) asked?.reject(new Error(answer.failed))
    else asked?.resolve(answer.told)
  })
  // One for all questions: whatever waits for the end itself would be kept until then.
  void ended.then((how) => {
    for (const asked of waiting.values()) asked.reject(new Error(`${how} while it was asked`))
  })
  return (ask) => {
    const id = next++
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve: resolve as (told: unknown) => void, reject })
      child.send({ id, ask })
    })
  }
}
