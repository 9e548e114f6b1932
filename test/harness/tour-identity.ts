/** The tour's part of accounts: who may do what, how much, and what is shared. */
import { ADMIN_ACCOUNT } from '@skerry/contract'
import { type Made, type Stop, stop } from './tour-stop.ts'
import { newUuid, sha512 } from './zstack-client.ts'

const password = sha512('of the tour')
const statements = [{ name: 'start', effect: 'Allow', actions: ['vm:start', 'org.zstack.header.image.**'] }]
/** Where nothing was made before: no such thing. */
const nowhere = newUuid()
const at = (m: Made, name: string) => m[name] ?? nowhere

const people: Stop[] = [
  stop('CreateAccount', { name: 'tour', password, type: 'Normal', description: 'on tour' }, 'tenant'),
  stop('QueryAccount', (m) => ({ uuid: at(m, 'tenant') })),
  stop('UpdateAccount', (m) => ({ uuid: at(m, 'tenant'), description: 'seen on the tour' })),
  stop('CreateUser', { name: 'guide', password }, 'user'),
  stop('QueryUser'),
  stop('QueryUser', (m) => ({ uuid: at(m, 'user') })),
  stop('UpdateUser', (m) => ({ uuid: at(m, 'user'), description: 'seen on the tour' })),
  stop('LogInByUser', { accountUuid: ADMIN_ACCOUNT, userName: 'guide', password }),
  stop('UnlockIdentity', { resourceName: 'guide', loginType: 'user' }),
  stop('GetLoginProcedures', { username: 'guide', loginType: 'user' }),
  stop('LogIn', { username: 'guide', password, loginType: 'user', properties: { accountName: 'admin' } }),
  stop('CreateUserGroup', { name: 'guides' }, 'group'),
  stop('QueryUserGroup'),
  stop('UpdateUserGroup', (m) => ({ uuid: at(m, 'group'), description: 'seen on the tour' })),
  stop('AddUserToGroup', (m) => ({ groupUuid: at(m, 'group'), userUuid: at(m, 'user') })),
]

const policies: Stop[] = [
  stop('CreatePolicy', { name: 'starters', statements }, 'policy'),
  stop('QueryPolicy'),
  stop('QueryPolicy', (m) => ({ uuid: at(m, 'policy') })),
  stop('AttachPolicyToUser', (m) => ({ userUuid: at(m, 'user'), policyUuid: at(m, 'policy') })),
  stop('DetachPolicyFromUser', (m) => ({ userUuid: at(m, 'user'), policyUuid: at(m, 'policy') })),
  stop('AttachPoliciesToUser', (m) => ({ userUuid: at(m, 'user'), policyUuids: [at(m, 'policy')] })),
  stop('DetachPoliciesFromUser', (m) => ({ userUuid: at(m, 'user'), policyUuids: [at(m, 'policy')] })),
  stop('AttachPolicyToUserGroup', (m) => ({ groupUuid: at(m, 'group'), policyUuid: at(m, 'policy') })),
  stop('CheckApiPermission', (m) => ({ userUuid: at(m, 'user'), apiNames: ['StartVmInstance', 'CreateZone'] })),
  stop('CheckResourcePermission', { resourceType: 'VmInstanceVO' }),
  stop('DetachPolicyFromUserGroup', (m) => ({ groupUuid: at(m, 'group'), policyUuid: at(m, 'policy') })),
  stop('CreateRole', { name: 'starter', statements }, 'role'),
  stop('QueryRole'),
  stop('QueryRole', (m) => ({ uuid: at(m, 'role') })),
  stop('UpdateRole', (m) => ({ uuid: at(m, 'role'), description: 'seen on the tour' })),
  ...['disable', 'enable'].map((stateEvent) => stop('ChangeRoleState', (m) => ({ uuid: at(m, 'role'), stateEvent }))),
  stop('AddPolicyStatementsToRole', (m) => ({ uuid: at(m, 'role'), statements })),
  stop('RemovePolicyStatementsFromRole', (m) => ({ uuid: at(m, 'role'), policyStatementUuids: [nowhere] })),
  stop('AttachPolicyToRole', (m) => ({ policyUuid: at(m, 'policy'), roleUuid: at(m, 'role') })),
  stop('DetachPolicyFromRole', (m) => ({ policyUuid: at(m, 'policy'), roleUuid: at(m, 'role') })),
  stop('AttachRoleToAccount', (m) => ({ accountUuid: at(m, 'tenant'), roleUuid: at(m, 'role') })),
  stop('DetachRoleFromAccount', (m) => ({ accountUuid: at(m, 'tenant'), roleUuid: at(m, 'role') })),
]

const sharing: Stop[] = [
  stop('AddAccessControlRule', { name: 'nobody', rule: '192.0.2.1, 198.51.100.0/24', controlStrategy: 'Deny' }, 'accessRule'),
  stop('UpdateAccessControlRule', (m) => ({ uuid: at(m, 'accessRule'), rule: '192.0.2.1-192.0.2.9' })),
  stop('QueryAccessControlRule'),
  stop('DeleteAccessControlRule', (m) => ({ uuid: at(m, 'accessRule') })),
  stop('QueryQuota'),
  stop('UpdateQuota', (m) => ({ identityUuid: at(m, 'tenant'), name: 'vm.num', value: 30 })),
  stop('GetAccountQuotaUsage', (m) => ({ uuid: at(m, 'tenant') })),
  stop('ShareResource', (m) => ({ resourceUuids: [m['disk']], accountUuids: [at(m, 'tenant')], toPublic: true })),
  stop('QuerySharedResource'),
  stop('QueryAccountResourceRef'),
  stop('RevokeResourceSharing', (m) => ({ resourceUuids: [m['disk']], all: true })),
  stop('ChangeResourceOwner', (m) => ({ accountUuid: at(m, 'tenant'), resourceUuid: m['disk'] })),
  stop('GetResourceAccount', (m) => ({ resourceUuids: [m['disk']] })),
  stop('ChangeResourceOwner', (m) => ({ accountUuid: ADMIN_ACCOUNT, resourceUuid: m['disk'] })),
]

const price = { timeUnit: 'h', price: 2 }
const between = (table: string) => (m: Made) => ({ accountUuid: at(m, 'tenant'), tableUuid: at(m, table) })
const bills: Stop[] = [
  stop('CreatePriceTable', { name: 'gold', prices: [{ ...price, resourceName: 'cpu' }] }, 'gold'),
  stop('QueryPriceTable', (m) => ({ uuid: at(m, 'gold') })),
  stop('UpdatePriceTable', (m) => ({ uuid: at(m, 'gold'), description: 'seen on the tour' })),
  stop('CreatePriceTable', { name: 'silver' }, 'silver'),
  stop('AttachPriceTableToAccount', between('gold')),
  stop('QueryAccountPriceTableRef'),
  stop('ChangeAccountPriceTableBinding', between('silver')),
  stop('DetachPriceTableFromAccount', between('silver')),
  stop('CreateResourcePrice', { ...price, resourceName: 'memory', resourceUnit: 'g' }, 'price'),
  stop('QueryResourcePrice', (m) => ({ uuid: at(m, 'price') })),
  stop('UpdateResourcePrice', (m) => ({ uuid: at(m, 'price'), setEndDateInLongBaseOnCurrentTime: true })),
  stop('CalculateAccountSpending', { accountUuid: ADMIN_ACCOUNT }),
  stop('DeleteResourcePrice', (m) => ({ uuid: at(m, 'price') })),
  ...['gold', 'silver'].map((table) => stop('DeletePriceTable', (m) => ({ uuid: at(m, table) }))),
]

const gone: Stop[] = [
  stop('RemoveUserFromGroup', (m) => ({ groupUuid: at(m, 'group'), userUuid: at(m, 'user') })),
  stop('DeleteRole', (m) => ({ uuid: at(m, 'role') })),
  stop('DeletePolicy', (m) => ({ uuid: at(m, 'policy') })),
  stop('DeleteUserGroup', (m) => ({ uuid: at(m, 'group') })),
  stop('DeleteUser', (m) => ({ uuid: at(m, 'user') })),
  stop('DeleteAccount', (m) => ({ uuid: at(m, 'tenant') })),
]

export const identity: readonly Stop[] = [...people, ...policies, ...sharing, ...bills, ...gone]
