import { z } from 'zod'
import { action, call, query } from '../api.ts'
import { defineResource } from '../resource.ts'
import { uuid } from '../scalars.ts'

const TIB = 1024 ** 4

/** What an account may have, by ZStack's names, and how much of it a new account may (zstack-core §3.12). */
export const defaultQuotas = {
  'vm.num': 20,
  'vm.totalNum': 20,
  'vm.cpuNum': 80,
  'vm.memorySize': 80 * 1024 ** 3,
  'volume.data.num': 40,
  'volume.capacity': 10 * TIB,
  'image.num': 20,
  'image.size': 10 * TIB,
  'snapshot.volume.num': 200,
  'l3.num': 20,
  'securityGroup.num': 20,
  'vip.num': 20,
  'eip.num': 20,
  'portForwarding.num': 20,
  'loadBalancer.num': 20,
  'listener.num': 20,
} as const
export type QuotaName = keyof typeof defaultQuotas
export const quotaNames = Object.keys(defaultQuotas) as [QuotaName, ...QuotaName[]]

const value = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

/** How much of something an account may have. What it has is counted where it stands. */
export const quota = defineResource({
  name: 'quota',
  noun: 'quota',
  path: '/accounts/quotas',
  inventory: { sdk: 'QuotaInventory', java: 'org.zstack.header.identity.QuotaInventory' },
  summary: 'How much of something an account may have',
  scope: { owner: 'identityUuid' },
  fields: { identityUuid: uuid, identityType: z.enum(['AccountVO']), value },
  edges: { account: { to: 'account', via: 'identityUuid', kind: 'parent', onDelete: 'cascade', inverse: 'quotas' } },
  indexes: ['name', 'identityUuid'],
  columns: ['name', 'identityUuid', 'value'],
  apis: [
    query('QueryQuota', '/accounts/quotas', 'quota', { byUuid: false }),
    action('UpdateQuota', '/accounts/quotas/actions', {
      of: 'quota',
      workflow: 'quota.update',
      verb: 'update',
      rights: 'admin',
      params: { identityUuid: uuid, name: z.enum(quotaNames), value },
      summary: 'Let an account have more or less of something',
    }),
    call('GetAccountQuotaUsage', 'GET', '/accounts/quota/{uuid}/usages', {
      verb: 'usages',
      names: { uuid: 'account' },
      summary: 'How much an account has, and how much it may have',
      result: {
        kind: 'fields',
        schema: z.object({ usages: z.array(z.object({ name: z.string(), total: z.number(), used: z.number() })) }),
      },
    }),
  ],
})
