/** A guest's own will, and what people do to it behind the site's back: over its serial port, and with virsh. */
import { readFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { type Row, subjects } from '@skerry/contract'
import { READY_LINE } from '@skerry/deploy'
import { realHost } from '@skerry/host'
import { domainXml } from '@skerry/libvirt'
import { type TestSite, until } from './site.ts'

const { exec, files } = realHost()
const MIB = 1024 ** 2

export const domain = (vmUuid: string): string => `skerry-${vmUuid}`

export async function virsh(site: TestSite, ...argv: string[]): Promise<string> {
  return (await exec.run('virsh', ['-c', site.libvirtd.uri, ...argv], { timeoutMs: 30_000 })).stdout.trim()
}

const folder = (site: TestSite, vmUuid: string) => join(site.dir, 'agent-kvm/vms', vmUuid)

/** How often the guest came up since it was made. */
export async function boots(site: TestSite, vmUuid: string): Promise<number> {
  const log = await readFile(join(folder(site, vmUuid), 'console.log'), 'latin1').catch(() => '') // not there before the first
  return log.split(READY_LINE).length - 1
}

export const booted = (site: TestSite, vmUuid: string, times: number) =>
  until(`boot ${times} of guest ${vmUuid}`, 180_000, async () => (await boots(site, vmUuid)) >= times)

/** Types a command into the shell on the guest's serial port, past the agent. */
export async function inside(site: TestSite, vmUuid: string, command: string): Promise<void> {
  const socket = createConnection({ path: join(folder(site, vmUuid), 'serial') })
  let shown = ''
  socket.on('data', (data) => {
    shown += data.toString('latin1')
  })
  // The guest may end while it answers.
  socket.on('error', (error) => {
    shown += error.message
  })
  try {
    await until('a prompt of the guest', 30_000, () => {
      if (shown.includes('# ')) return true
      socket.write('\n')
      return false
    })
    socket.write(`${command}\n`)
    await until('the echo of the guest', 30_000, () => shown.includes(command) || socket.destroyed)
  } finally {
    socket.destroy()
  }
}

/** A domain of the user's own, running beside ours; `look` tells all that must stay as it is. */
export async function ownDomain(site: TestSite): Promise<{ look(): Promise<Row>; remove(): Promise<void> }> {
  const spec = { type: 'qemu', cpuMode: 'none', cpuCount: 1, memoryBytes: 32 * MIB, disks: [], nics: [] } as const
  const file = join(site.dir, 'own.xml')
  await files.write(file, domainXml({ ...spec, uuid: '5'.repeat(32), name: 'my-own' }))
  await virsh(site, 'define', file)
  await virsh(site, 'start', 'my-own')
  return {
    async look() {
      return { xml: await virsh(site, 'dumpxml', 'my-own'), pid: (await site.libvirtd.qemuPids())['my-own'] }
    },
    async remove() {
      await exec.run('virsh', ['-c', site.libvirtd.uri, 'destroy', 'my-own'], { timeoutMs: 30_000, okCodes: [0, 1] }) // or it is off
      await virsh(site, 'undefine', 'my-own')
    },
  }
}

export interface Move {
  from: string
  to: string
  cause: string | null
}

interface Heard extends Row {
  id: string
  uuid: string
  actor: string
  data: Move & Row
}

/** Transitions of VMs that reports of agents caused, as events on NATS: each once, in the order of the log. */
export async function moves(
  site: TestSite,
): Promise<{ of(vmUuid: string): Move[]; forget(): Promise<void>; end(): Promise<void> }> {
  const ear = await site.nats.connect('controller')
  const heard = new Map<string, Heard>()
  ear.subscribe(subjects.event('vmInstance', '*', 'state-changed'), (m) => {
    const event = m.data as Heard
    if (event.actor.startsWith('agent:')) heard.set(event.id, event)
  })
  await ear.flush()
  const order = (id: string) => Number(id.split('.')[0])
  let since = 0
  return {
    of: (vmUuid) =>
      [...heard.values()]
        .filter(({ id, uuid }) => uuid === vmUuid && order(id) > since)
        .sort((a, b) => order(a.id) - order(b.id))
        .map(({ data: { from, to, cause } }) => ({ from, to, cause })),
    // By the log, not by what was heard: what was committed before may be told later, or again.
    async forget() {
      since = (await site.client.status()).store.durableSeq
    },
    end: () => ear.close(),
  }
}
