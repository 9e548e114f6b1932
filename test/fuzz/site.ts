/** The process of the site, as the driver holds it. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Asks, Started } from './site-process.ts'

export interface Site extends Started {
  ask<K extends keyof Asks>(ask: K): Promise<Asks[K]>
  /** how it ended; while it runs, this does not resolve */
  ended: Promise<string>
  /** of a site that answers no more */
  kill(): void
}

/** @param file its program */
export async function startSite(file: string): Promise<Site> {
  const child = fork(file, [], {
    execArgv: ['--expose-gc', '--enable-source-maps'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const ended = once(child, 'exit').then(([code, signal]) => `the site's process ended with ${signal ?? code}`)
  const first = (await Promise.race([once(child, 'message'), ended])) as [{ started: Started }] | string
  if (typeof first === 'string') throw new Error(first)
  return { ...first[0].started, ended, kill: () => void child.kill('SIGKILL'), ask: asking(child, ended) }
}

function asking(child: ChildProcess, ended: Promise<string>): Site['ask'] {
  const waiting = new Map<number, (told: unknown) => void>()
  let next = 0
  child.on('message', ({ id, told }: { id: number; told: unknown }) => {
    waiting.get(id)?.(told)
    waiting.delete(id)
  })
  return (ask) => {
    const id = next++
    const told = new Promise<never>((resolve) => waiting.set(id, resolve as (told: unknown) => void))
    child.send({ id, ask })
    return Promise.race([told, ended.then((how) => Promise.reject(new Error(`${how} while it was asked for ${ask}`)))])
  }
}
