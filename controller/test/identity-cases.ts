/** What the proofs of accounts, users, policies, roles, quotas and shares start from. */
import { ADMIN_ACCOUNT, type Row } from '@skerry/contract'
import type { Input } from '../src/workflows/world.ts'
import { after, type Before, on, onSite } from './before.ts'
import { id, u } from './world.ts'

const fresh = id('fresh')
const tenant = id('tenant')
const user = id('user')
const group = id('group')
const policy = id('policy')
const role = id('role')
const statements = [{ name: 'start', effect: 'Allow', actions: ['vm:start'] }]

/** Calls as the administrator makes them: their users and policies are of its account. */
const mine = (table: string, uuid: string, params: Row = {}) => {
  const given = on(table, uuid, params)
  return { ...given, accountUuid: ADMIN_ACCOUNT }
}

const account: [string, Input] = ['account.create', mine('account', tenant, { name: 'tenant', passwordHash: 'scrypt$00$00' })]
const aUser: [string, Input] = ['user.create', mine('user', user, { name: 'user', passwordHash: 'scrypt$00$00' })]
const aPolicy: [string, Input] = ['policy.create', mine('policy', policy, { name: 'policy', statements })]
const aGroup: [string, Input] = ['userGroup.create', mine('userGroup', group, { name: 'group' })]
const aRole: [string, Input] = ['role.create', mine('role', role, { name: 'role', statements, policyUuids: [] })]

const ofUser = mine('user', user, { userUuid: user, policyUuid: policy })
const ofUsers = mine('user', user, { userUuid: user, policyUuids: [policy] })
const ofGroup = mine('userGroup', group, { groupUuid: group, policyUuid: policy })
const inGroup = mine('userGroup', group, { groupUuid: group, userUuid: user })
const ofRole = mine('role', role, { roleUuid: role, policyUuid: policy })
const ofAccount = mine('role', role, { roleUuid: role, accountUuid: tenant })
const shared = mine('sharedResource', fresh, { resourceUuids: [u.image], accountUuids: [tenant], toPublic: true })

export const identityCases: Record<string, Before> = {
  'account.create': onSite(account[1]),
  'account.update': after([account], mine('account', tenant, { name: 'other', passwordHash: 'scrypt$11$11' })),
  'account.delete': after(
    [account, ['resource.changeOwner', mine('sharedResource', fresh, { accountUuid: tenant, resourceUuid: u.image })]],
    mine('account', tenant),
  ),
  'user.create': onSite(aUser[1]),
  'user.update': after([aUser], mine('user', user, { uuid: user, name: 'other', passwordHash: 'scrypt$11$11' })),
  'user.attachPolicies': after([aUser, aPolicy], ofUser),
  'user.detachPolicies': after([aUser, aPolicy, ['user.attachPolicies', ofUsers]], ofUsers),
  'policy.create': onSite(aPolicy[1]),
  'userGroup.create': onSite(aGroup[1]),
  'userGroup.addUser': after([aUser, aGroup], inGroup),
  'userGroup.removeUser': after([aUser, aGroup, ['userGroup.addUser', inGroup]], inGroup),
  'userGroup.attachPolicies': after([aPolicy, aGroup], ofGroup),
  'userGroup.detachPolicies': after([aPolicy, aGroup, ['userGroup.attachPolicies', ofGroup]], ofGroup),
  'role.create': onSite(aRole[1]),
  'role.update': after([aRole], mine('role', role, { name: 'other', statements })),
  'role.addStatements': after([aRole], mine('role', role, { statements })),
  'role.removeStatements': after([aRole], mine('role', role, { policyStatementUuids: [id('none')] })),
  'role.attachPolicies': after([aRole, aPolicy], ofRole),
  'role.detachPolicies': after([aRole, aPolicy, ['role.attachPolicies', ofRole]], ofRole),
  'account.attachRole': after([account, aRole], ofAccount),
  'account.detachRole': after([account, aRole, ['account.attachRole', ofAccount]], ofAccount),
  'quota.update': after([account], mine('quota', fresh, { identityUuid: tenant, name: 'vm.num', value: 3 })),
  'resource.share': after([account], shared),
  'resource.unshare': after(
    [account, ['resource.share', shared]],
    mine('sharedResource', id('call'), { ...shared.params, all: true }),
  ),
  'resource.changeOwner': after([account], mine('sharedResource', fresh, { accountUuid: tenant, resourceUuid: u.image })),
}
