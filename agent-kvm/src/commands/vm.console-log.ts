/**
 * `do.vm.<vmUuid>.console-log`: what the guest has said on its serial port. libvirt's virtlogd keeps it, also while this agent is
 * gone, in files of 2 MiB of which the older ones are numbered; the newest MiB of it is told.
 */
import { stripVTControlCharacters } from 'node:util'
import { defineCommand } from '@skerry/agent'
import { kvmCommands } from '@skerry/contract'
import type { Host } from '@skerry/host'
import { vmFolder } from '../vms/memory.ts'

/** Of the log's end, what is looked at. */
const KEPT_BYTES = 1024 * 1024
/** Of the lines that are told: a message has 1 MiB at most. */
const TOLD_BYTES = 512 * 1024

export function vmConsoleLog({ host, stateDir }: { host: Pick<Host, 'files'>; stateDir: string }) {
  return defineCommand({
    noun: 'vm',
    verb: 'console-log',
    reads: true,
    ...kvmCommands.consoleLog,
    async run({ uuid, input: { lines, search } }) {
      const { log } = vmFolder(stateDir, uuid)
      // virtlogd's names: `.0` is the one before.
      const [before, newest] = [await host.files.read(`${log}.0`), await host.files.read(log)]
      return foundIn(`${before ?? ''}${newest ?? ''}`.slice(-KEPT_BYTES), { lines, search })
    },
  })
}

/** The last lines, or the last of those that hold the text, in any case. `matches` counts all of them. Pure. */
export function foundIn(text: string, { lines, search }: { lines: number; search?: string | undefined }) {
  const all = stripVTControlCharacters(text).replaceAll('\r', '').split('\n')
  if (all.at(-1) === '') all.pop()
  const wanted = search?.toLowerCase()
  const matching = wanted === undefined ? all : all.filter((line) => line.toLowerCase().includes(wanted))
  const told: string[] = []
  let bytes = 0
  for (const line of matching.slice(-lines).reverse()) {
    bytes += Buffer.byteLength(JSON.stringify(line))
    if (bytes > TOLD_BYTES) break
    told.push(line)
  }
  return { lines: told.reverse(), matches: matching.length }
}
