/** What guests do to their machine in memory: the two fakes, machine and libvirt, know nothing of each other. */
import type { FakeHost } from '@skerry/host'
import { type Calls, FakeLibvirt, type Operation } from '@skerry/libvirt'

export interface GuestHooks {
  /** A guest was started with these network cards, or given them while it runs. */
  started(macs: readonly string[]): void
}

/** The fake remembers every call for its tests; a machine that runs for days needs the last of them only. */
const CALLS_KEPT = 1_000

/** Guests that reboot when asked by ACPI: libvirt shows it as a short pause (qemuProcessFakeReboot of libvirt 9.0). */
export class ObedientGuests extends FakeLibvirt {
  /** Called when a device was plugged into a running guest. */
  plugged: (uuid: string) => void = () => undefined

  override async call<K extends Operation>(op: K, args: Calls[K]['args'], o: { timeoutMs: number }): Promise<Calls[K]['result']> {
    if (this.calls.length > 2 * CALLS_KEPT) this.calls.splice(0, CALLS_KEPT)
    const result = await super.call(op, args, o)
    if (op === 'domainAttachDevice') this.plugged((args as Calls['domainAttachDevice']['args']).uuid)
    if (op !== 'domainReboot') return result
    const { uuid } = args as Calls['domainReboot']['args']
    await super.call('domainSuspend', { uuid }, o)
    await super.call('domainResume', { uuid }, o)
    return result
  }
}

/** Taps of running domains, which libvirt makes and removes by itself; and the guest that asks for its addresses. */
export function watchGuests({ network }: FakeHost, libvirt: ObedientGuests, hooks?: GuestHooks): void {
  const taps = new Map<string, string[]>()
  const bring = (uuid: string): void => {
    const known = taps.get(uuid) ?? []
    const fresh = libvirt.domain(uuid).nics.filter(({ tap }) => tap && !known.includes(tap))
    const names = fresh.flatMap(({ tap }) => tap ?? [])
    taps.set(uuid, [...known, ...names])
    for (const name of names) network.addNic(name)
    if (fresh.length > 0) hooks?.started(fresh.map(({ mac }) => mac))
  }
  const drop = (uuid: string, keep: readonly string[]): void => {
    const gone = (taps.get(uuid) ?? []).filter((name) => !keep.includes(name))
    const host = network.in('')
    for (const link of host.links.filter(({ name }) => gone.includes(name))) network.dropLink(host, link)
    taps.set(uuid, [...keep])
  }
  libvirt.plugged = bring
  libvirt.onLifecycle(({ domainUuid, event }) => {
    if (event === 'started') {
      taps.delete(domainUuid)
      bring(domainUuid)
    }
    if (event === 'deviceRemoved')
      drop(
        domainUuid,
        libvirt.domain(domainUuid).nics.flatMap(({ tap }) => tap ?? []),
      )
    if (event === 'stopped') {
      drop(domainUuid, [])
      taps.delete(domainUuid)
    }
  })
}
