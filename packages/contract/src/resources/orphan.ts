import { z } from 'zod'
import { action, query, remove } from '../api.ts'
import { outsideVm } from '../desired/kvm.ts'
import { defineResource } from '../resource.ts'
import { bytes, ipv4, line, mac, time, uuid } from '../scalars.ts'

/** What an orphan uses, so that nobody else is given it. */
const holds = z.object({
  cpuNum: z.number().int(),
  memoryBytes: bytes,
  /** primary storage on whose part of the host its disk lies */
  poolUuid: uuid.nullable(),
  diskBytes: bytes,
  addresses: z.array(z.object({ l3NetworkUuid: uuid, ip: ipv4 })),
  macs: z.array(mac),
})
export type OrphanHolds = z.infer<typeof holds>

/**
 * Something on a host that the graph doesn't know. It carries our mark: it was made after the backup that this controller was restored
 * from; its agent keeps it as it is, and a person adopts or removes it. Or it is a VM that somebody made without us (`outside`): it is
 * shown, what it uses of the host is not given away, and nobody touches it until a person adopts it. Ours: ZStack has no such resource.
 */
export const orphan = defineResource({
  name: 'orphan',
  noun: 'orphan',
  path: '/orphans',
  summary: 'Something on a host that nobody here knows of: it runs on until it is adopted or removed',
  scope: 'admin',
  fields: {
    /** noun of desired state: vm, volume, lease, router, bridge, pool */
    noun: z.string(),
    /** its own uuid, which it gets back when it is adopted */
    ownUuid: uuid,
    agentUuid: uuid,
    hostUuid: uuid.nullable(),
    condition: z.literal('Orphaned'),
    /** the orphaned VM that this is a part of */
    partOfUuid: uuid.nullable(),
    /** a VM that was made on the host without Skerry; absent: it carries our mark */
    outside: z.boolean().optional(),
    /** of one that was made without Skerry: its size, disks and cards, and what its host knows to hinder its adoption */
    machine: outsideVm.omit({ name: true, paths: true, macs: true }).optional(),
    /** its whole document is held by its agent, or its host knows nothing that hinders */
    adoptable: z.boolean(),
    ips: z.array(ipv4),
    macs: z.array(mac),
    paths: z.array(line(1024)),
    /** what its agent sees: power, sizes */
    observed: z.record(z.string(), z.unknown()),
    since: time,
    spec: z.record(z.string(), z.unknown()).nullable(),
    holds,
  },
  hidden: ['spec', 'holds'],
  edges: {
    agent: { to: 'agent', via: 'agentUuid', kind: 'friend', inverse: 'orphans' },
    host: { to: 'host', via: 'hostUuid', kind: 'friend', inverse: 'orphans' },
    whole: { to: 'orphan', via: 'partOfUuid', kind: 'friend', inverse: 'parts', as: 'whole' },
  },
  indexes: ['name', 'noun', 'ownUuid', 'agentUuid', 'hostUuid', 'partOfUuid'],
  columns: ['name', 'uuid', 'noun', 'ips', 'hostUuid', 'partOfUuid', 'since'],
  apis: [
    { ...query('QueryOrphan', '/orphans', 'orphan'), own: true },
    {
      ...action('AdoptOrphan', '/orphans/{uuid}/actions', {
        of: 'orphan',
        workflow: 'orphan.adopt',
        verb: 'adopt',
        params: {
          /** these two of one that was made without Skerry: whose it becomes, by default the caller's */
          accountUuid: uuid.optional(),
          /** the addresses of its cards, in their order; by default free ones */
          ips: z.array(ipv4).max(8).optional(),
        },
        result: { kind: 'fields', schema: z.object({ vmInstanceUuid: uuid }) },
        summary: 'Take a VM instance with its disks and cards into the graph: an orphan, or one that was made without Skerry',
      }),
      own: true,
    },
    {
      ...remove('RemoveOrphan', '/orphans/{uuid}', 'orphan', {
        workflow: 'orphan.remove',
        verb: 'remove',
        summary: 'Remove an orphan from its host, with all its parts and data, for good',
      }),
      own: true,
    },
  ],
})
