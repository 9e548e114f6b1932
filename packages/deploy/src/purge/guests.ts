/**
 * Our guests as the machine sees them, for when the API can't be asked: qemu processes and libvirt domains. Ours is what has
 * our name, our mark, and a disk below this site's state folder: the user's guests and other sites' stay.
 */
import { SkerryError } from '@skerry/contract'
import type { Exec, Processes, ProcessInfo } from '@skerry/host'
import { parseDomain } from '@skerry/libvirt'

const NAME = /^skerry-[0-9a-f]{32}$/
const QEMU_NAME = /^guest=(skerry-[0-9a-f]{32})(,|$)/
const VIRSH_MS = 30_000
const TERM_MS = 10_000

/** Pure. */
export function isOurDomain(xml: string, stateDir: string): boolean {
  const { name, mark, disks } = parseDomain(xml)
  return NAME.test(name) && mark !== null && disks.some(({ file }) => file?.startsWith(`${stateDir}/`))
}

/** Pure. */
export function isOurQemu(process: Pick<ProcessInfo, 'cmdline'>, stateDir: string): boolean {
  const { cmdline } = process
  return (
    (cmdline[0] ?? '').includes('qemu') &&
    cmdline.some((arg) => QEMU_NAME.test(arg)) &&
    cmdline.some((arg) => arg.includes(`${stateDir}/`))
  )
}

/** Cuts the power of the qemu processes that still run. Returns how many there were. */
export async function endQemu(processes: Processes, stateDir: string): Promise<number> {
  const ours = (await processes.list()).filter((process) => isOurQemu(process, stateDir))
  for (const process of ours) await processes.signal(process, 'SIGTERM') // qemu flushes its disks and ends
  for (const process of ours) {
    if (await processes.waitGone(process, TERM_MS)) continue
    await processes.signal(process, 'SIGKILL')
    await processes.waitGone(process, TERM_MS)
  }
  return ours.length
}

/** Ends and undefines our domains on the machine's own libvirtd. */
export async function removeDomains(exec: Exec, uri: string, stateDir: string): Promise<string[]> {
  const virsh = (args: readonly string[]) => exec.run('virsh', ['-q', '-c', uri, ...args], { timeoutMs: VIRSH_MS })
  const { stdout } = await virsh(['list', '--all', '--name'])
  const removed: string[] = []
  for (const name of stdout.split('\n').filter((line) => NAME.test(line))) {
    const { stdout: xml } = await virsh(['dumpxml', name])
    if (!isOurDomain(xml, stateDir)) continue
    const { stdout: state } = await virsh(['domstate', name])
    if (state.trim() !== 'shut off') await virsh(['destroy', name])
    await virsh(['undefine', name, '--nvram', '--managed-save'])
    removed.push(name)
  }
  return removed
}

/** A libvirtd that doesn't answer can't be purged from: said instead of skipped. */
export function libvirtAway(cause: unknown): SkerryError {
  const remedy = 'start libvirtd and run scripts/down --purge again'
  return new SkerryError('hypervisor-failed', "our domains cannot be removed from the machine's libvirtd", { remedy }, { cause })
}
