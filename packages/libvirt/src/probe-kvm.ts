/**
 * Whether KVM really works here. A para-virtual /dev/kvm may open, run a boot sector, and still hang an ordinary kernel, so
 * the answer comes from booting the payload and seeing its marker on the serial port in time.
 */
import { spawn } from 'node:child_process'

/** Runs argv until it ends, its output holds `stopAt`, or the time is over; then it is dead. */
export type ProbeExec = (
  file: string,
  argv: readonly string[],
  options: { timeoutMs: number; stopAt: string },
) => Promise<{ output: string; ended: 'marker' | 'exit' | 'timeout' | 'not-started' }>

/** What is booted: a kernel (best: the one that guests run), or a raw disk. `marker` is what it prints on the first serial port. */
export type ProbePayload = { marker: string } & ({ kernel: string; initrd?: string; commandLine?: string } | { disk: string })

export interface ProbeResult {
  accel: 'kvm' | 'tcg'
  /** Why not KVM, in words for a person; null when it works. */
  reason: string | null
}

export interface ProbeOptions {
  exec: ProbeExec
  payload: ProbePayload
  timeoutMs?: number
  qemu?: string
}

const DEFAULT_LIMIT_MS = 5_000
const TAIL_CHARS = 300

/** The argv of a machine without network, display, monitor or default devices. */
export function probeArgv(accel: 'kvm' | 'tcg', payload: ProbePayload): string[] {
  const boot =
    'kernel' in payload
      ? [
          '-kernel',
          payload.kernel,
          ...(payload.initrd === undefined ? [] : ['-initrd', payload.initrd]),
          ...(payload.commandLine === undefined ? [] : ['-append', payload.commandLine]),
        ]
      : // A comma in a file name is doubled in qemu's option syntax.
        ['-drive', `file=${payload.disk.replaceAll(',', ',,')},format=raw,if=ide,snapshot=on`]
  const cpu = accel === 'kvm' ? 'host' : 'max'
  return [
    ...['-accel', accel, '-cpu', cpu, '-machine', 'q35', '-m', '256', '-smp', '1'],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-serial', 'stdio'],
    ...boot,
  ]
}

/** Boots the payload with KVM. Never throws: whatever goes wrong is a reason for TCG. */
export async function probeKvm({
  exec,
  payload,
  timeoutMs = DEFAULT_LIMIT_MS,
  qemu = 'qemu-system-x86_64',
}: ProbeOptions): Promise<ProbeResult> {
  const { output, ended } = await exec(qemu, probeArgv('kvm', payload), { timeoutMs, stopAt: payload.marker })
  if (ended === 'marker') return { accel: 'kvm', reason: null }
  const tail = output.trim().slice(-TAIL_CHARS)
  const said = tail === '' ? 'it printed nothing' : `its last words: ${tail}`
  const how = {
    exit: `qemu ended before the guest was up; ${said}`,
    timeout: `/dev/kvm opens, but the guest was not up after ${timeoutMs} ms; ${said}`,
    'not-started': `${qemu} could not be started; ${said}`,
  }
  return { accel: 'tcg', reason: how[ended] }
}

/** The real thing for `probeKvm`. */
export const spawnProbe: ProbeExec = (file, argv, { timeoutMs, stopAt }) =>
  new Promise((resolve) => {
    const child = spawn(file, argv, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let ended: 'marker' | 'exit' | 'timeout' | 'not-started' = 'exit'
    const stop = (why: typeof ended): void => {
      ended = why
      child.kill('SIGKILL')
    }
    const timer = setTimeout(() => stop('timeout'), timeoutMs)
    const read = (chunk: string): void => {
      output += chunk
      if (ended === 'exit' && output.includes(stopAt)) stop('marker')
    }
    child.stdout.setEncoding('utf8').on('data', read)
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
    })
    child.on('error', (error) => {
      clearTimeout(timer)
      resolve({ output: error.message, ended: 'not-started' })
    })
    child.on('close', () => {
      clearTimeout(timer)
      resolve({ output, ended })
    })
  })
