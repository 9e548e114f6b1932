/** What a VM boots from. Pure. */
import type { kvmDesired, Row } from '@skerry/contract'

type Device = NonNullable<kvmDesired.VmSpec['bootOrder']>[number]

/** An empty root disk can't be booted: an installer comes up from its CD, and what it installed ever after. */
const USUAL: readonly Device[] = ['HardDisk', 'CdRom']

export const bootOrderOf = (vm: Readonly<Row>): readonly Device[] => (vm['bootOrder'] as Device[] | null | undefined) ?? USUAL
