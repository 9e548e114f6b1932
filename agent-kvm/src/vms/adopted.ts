/** A guest that was adopted while it ran: until it was off once it runs as somebody else has defined it, and nothing is plugged into it. Pure. */
import { SkerryError } from '@skerry/contract'
import type { DomainSpec } from '@skerry/libvirt'
import type { SeenVm } from './observe.ts'

const same = (a: readonly string[], b: readonly string[]) => a.length === b.length && a.every((one) => b.includes(one))

/** Why what is wanted of it has to wait for its next start; undefined: it has all of that. */
export function unlikeAdopted({ disks, nics, cdroms = [] }: DomainSpec, { uuid, domain }: SeenVm): SkerryError | undefined {
  const { targets, macs, name } = domain?.adopted ?? {}
  if (!targets || !macs) return undefined
  const differs = [
    ...(same(
      disks.map(({ target }) => target),
      targets,
    )
      ? []
      : ['its disks']),
    ...(disks.some(({ iotune }) => iotune) ? ['how fast they may be'] : []),
    ...(same(
      nics.map(({ mac }) => mac),
      macs,
    )
      ? []
      : ['its cards']),
    ...(cdroms.some(({ file }) => file !== undefined) ? ['its CD drive'] : []),
  ]
  if (differs.length === 0) return undefined
  const message = `the guest runs as ${name} was defined without Skerry, and ${differs.join(', ')} can't change: stop and start it first`
  return new SkerryError('vm-illegal-state', message, { uuid, domain: name, differs })
}
