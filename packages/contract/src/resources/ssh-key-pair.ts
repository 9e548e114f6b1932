import { z } from 'zod'
import { attach, call, create, query, remove, update } from '../api.ts'
import { defineResource } from '../resource.ts'
import { line, name, text, uuid } from '../scalars.ts'

const publicKey = line(16_384)
const ends = '/ssh-key-pair/{sshKeyPairUuid}/vm-instance/{vmInstanceUuid}'

/** A public key for the guests that it is attached to. They take it at their first boot: it is part of what cloud-init is told. */
export const sshKeyPair = defineResource({
  name: 'sshKeyPair',
  noun: 'ssh-key-pair',
  path: '/ssh-key-pair',
  inventory: { sdk: 'SshKeyPairInventory', java: 'org.zstack.header.sshkeypair.SshKeyPairInventory' },
  summary: 'A public SSH key for guests',
  scope: { owner: 'ownerUuid' },
  fields: { publicKey, vmInstanceUuids: z.array(uuid) },
  hidden: ['vmInstanceUuids'],
  edges: {
    vmInstances: {
      to: 'vmInstance',
      via: 'vmInstanceUuids',
      kind: 'friend',
      list: true,
      inverse: 'sshKeyPairs',
      as: 'vmInstances',
    },
  },
  indexes: ['name', 'vmInstanceUuids'],
  columns: ['name', 'uuid', 'publicKey'],
  apis: [
    create('CreateSshKeyPair', '/ssh-key-pair', {
      of: 'sshKeyPair',
      workflow: 'sshKeyPair.create',
      params: { publicKey },
      summary: 'Add a public SSH key',
    }),
    query('QuerySshKeyPair', '/ssh-key-pair', 'sshKeyPair'),
    update('UpdateSshKeyPair', '/ssh-key-pair/{uuid}/actions', 'sshKeyPair'),
    attach('AttachSshKeyPairToVmInstance', 'POST', ends, {
      of: 'sshKeyPair',
      workflow: 'sshKeyPair.attach',
      verb: 'attach',
      summary: 'Let whoever has the private key into a guest; it takes it at its first boot',
    }),
    {
      ...attach('DetachSshKeyPairFromVmInstance', 'DELETE', ends, {
        of: 'sshKeyPair',
        workflow: 'sshKeyPair.detach',
        verb: 'detach',
        summary: 'Tell a VM instance no longer about a key; a guest that has it keeps it',
      }),
      result: { kind: 'empty' },
    },
    remove('DeleteSshKeyPair', '/ssh-key-pair/{uuid}', 'sshKeyPair'),
  ],
})

/** A key pair as the call that makes it tells it: the private key is told once, and kept nowhere. */
export const sshPrivateKeyPair = defineResource({
  name: 'sshPrivateKeyPair',
  noun: 'ssh-private-key-pair',
  path: '/ssh-key-pair/generate',
  inventory: { sdk: 'SshPrivateKeyPairInventory', java: 'org.zstack.header.sshkeypair.SshPrivateKeyPairInventory' },
  summary: 'A new SSH key pair with its private key',
  scope: { owner: 'ownerUuid' },
  fields: { publicKey, privateKey: z.string() },
  edges: {},
  indexes: [],
  columns: ['name', 'uuid', 'publicKey'],
  apis: [
    call('GenerateSshKeyPair', 'POST', '/ssh-key-pair/generate', {
      params: { name, description: text.optional() },
      verb: 'generate',
      summary: 'Make an SSH key pair; its private key is told only now',
      result: { kind: 'inventory', of: 'sshPrivateKeyPair' },
    }),
  ],
})
