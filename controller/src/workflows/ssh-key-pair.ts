/** SSH keys for guests: rows, and the VMs that are told about them. */
import { checkSshKey } from '../engine/guest-tags.ts'
import { attachment } from './attachment.ts'
import { creation } from './resource.create.ts'
import type { Action } from './world.ts'

const ends = {
  table: 'sshKeyPair',
  field: 'vmInstanceUuids',
  self: 'sshKeyPairUuid',
  other: 'vmInstanceUuid',
  otherTable: 'vmInstance',
} as const

export const sshKeyPairs: readonly Action[] = [
  creation({
    workflow: 'sshKeyPair.create',
    table: 'sshKeyPair',
    row: (ctx) => ({ publicKey: (ctx.input.params['publicKey'] as string).trim(), vmInstanceUuids: [] }),
    check: ({ params }) => checkSshKey((params['publicKey'] as string).trim()),
  }),
  // Hosts hear of it as of any change: nobody has to wait for them, because a guest takes it at its next boot at the earliest.
  attachment({ ...ends, workflow: 'sshKeyPair.attach' }, true),
  attachment({ ...ends, workflow: 'sshKeyPair.detach' }, false),
]
