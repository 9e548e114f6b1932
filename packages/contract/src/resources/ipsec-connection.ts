import { z } from 'zod'
import { action, attach, call, changeState, create, query, remove, update } from '../api.ts'
import { ipsecStatus, MAX_IPSEC_CIDRS } from '../desired/ipsec.ts'
import { defineResource, enabledDisabled, enabledState } from '../resource.ts'
import { cidr4, ipv4, line, secretRef, secretValue, time, uuid } from '../scalars.ts'

const auth = z.enum(['md5', 'sha1', 'sha256', 'sha384', 'sha512'])
const encryption = z.enum(['3des', 'aes-128', 'aes-192', 'aes-256'])
/** Groups of Diffie-Hellman, by their numbers in IKE. */
const groups = [2, 5, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26] as const
const group = z.literal(groups)
const pfs = z.enum(['none', 'dh-group0', ...groups.map((n) => `dh-group${n}` as const)])
const ikeVersion = z.enum(['ike', 'ikev1', 'ikev2'])
const idType = z.enum(['ip', 'name', 'fqdn'])
/** An address, or a name as a certificate could have it. */
const id = line(255)
  .min(1)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._@-]*$/, 'may hold letters and digits, and ._@- inside')
const ikeLife = z.number().int().min(60).max(604_800)
const life = z.number().int().min(30).max(604_800)

/** ZStack's, where it is not named. */
export const ipsecDefaults = {
  ...{ authMode: 'psk', idType: 'ip', ikeVersion: 'ike', policyMode: 'tunnel', transformProtocol: 'esp' },
  ...{ ikeAuthAlgorithm: 'sha256', ikeEncryptionAlgorithm: 'aes-256', ikeDhGroup: 2, ikeLifeTime: 86_400 },
  ...{ policyAuthAlgorithm: 'sha256', policyEncryptionAlgorithm: 'aes-256', pfs: 'dh-group14', lifeTime: 3_600 },
} as const

/** How the two sides talk. What isn't ours yet (certificates, AH, transport) is not to be chosen. */
const policy = {
  peerAddress: ipv4,
  authMode: z.enum(['psk']).optional(),
  authKey: secretValue,
  idType: idType.optional(),
  localId: id.optional(),
  remoteId: id.optional(),
  ikeVersion: ikeVersion.optional(),
  ikeAuthAlgorithm: auth.optional(),
  ikeEncryptionAlgorithm: encryption.optional(),
  ikeDhGroup: group.optional(),
  ikeLifeTime: ikeLife.optional(),
  policyAuthAlgorithm: auth.optional(),
  policyEncryptionAlgorithm: encryption.optional(),
  pfs: pfs.optional(),
  policyMode: z.enum(['tunnel']).optional(),
  transformProtocol: z.enum(['esp']).optional(),
  lifeTime: life.optional(),
}
const cidrs = z.array(cidr4).min(1).max(MAX_IPSEC_CIDRS)
const l3NetworkUuids = z.array(uuid).min(1).max(MAX_IPSEC_CIDRS)
const dates = { createDate: time, lastOpDate: time }
const count = z.number().int().min(0)
const name = 'ipsecConnection'

/** A tunnel between networks here and networks of a peer, by an address that a router has (zstack-core §2.20). */
export const ipsecConnection = defineResource({
  name,
  noun: 'ipsec',
  path: '/ipsec',
  inventory: { sdk: 'IPsecConnectionInventory', java: 'org.zstack.ipsec.IPsecConnectionInventory' },
  summary: 'A tunnel between networks here and networks of a peer',
  scope: { owner: 'ownerUuid' },
  fields: {
    peerAddress: ipv4,
    authMode: z.enum(['psk']),
    authKey: secretRef,
    vipUuid: uuid,
    ikeAuthAlgorithm: auth,
    ikeEncryptionAlgorithm: encryption,
    ikeDhGroup: z.number().int(),
    policyAuthAlgorithm: auth,
    policyEncryptionAlgorithm: encryption,
    pfs,
    policyMode: z.enum(['tunnel']),
    transformProtocol: z.enum(['esp']),
    ikeVersion,
    idType,
    localId: id.nullable(),
    remoteId: id.nullable(),
    state: enabledState,
    status: ipsecStatus,
    ikeLifeTime: ikeLife,
    lifeTime: life,
    peerCidrs: z.array(z.object({ uuid, cidr: cidr4, connectionUuid: uuid, ...dates })),
    l3NetworkRefs: z.array(z.object({ uuid, connectionUuid: uuid, l3NetworkUuid: uuid, ...dates })),
    l3NetworkUuids: z.array(uuid),
    /** ours: why it is down, in words; null: it isn't, or nobody knows */
    statusCause: z.string().nullable(),
  },
  hidden: ['authKey', 'l3NetworkUuids'],
  states: enabledDisabled,
  edges: {
    vip: { to: 'vip', via: 'vipUuid', kind: 'parent', onDelete: 'cascade', inverse: 'ipsecConnections' },
    l3Networks: {
      ...{ to: 'l3Network', via: 'l3NetworkUuids', kind: 'parent', onDelete: 'detach', list: true },
      ...{ inverse: 'ipsecConnections', as: 'l3Networks' },
    },
  },
  indexes: ['name', 'state', 'status', 'vipUuid', 'l3NetworkUuids', 'peerAddress'],
  columns: ['name', 'uuid', 'peerAddress', 'state', 'status', 'statusCause'],
  apis: [
    create('CreateIPsecConnection', '/ipsec', {
      of: name,
      workflow: 'ipsecConnection.create',
      summary: 'Connect networks here with networks of a peer',
      params: { ...policy, vipUuid: uuid, l3NetworkUuid: uuid.optional(), peerCidrs: cidrs.optional() },
    }),
    query('QueryIPSecConnection', '/ipsec', name),
    update('UpdateIPsecConnection', '/ipsec/{uuid}', name),
    action('ChangeIPsecConnection', '/ipsec/config/{uuid}', {
      of: name,
      workflow: 'ipsecConnection.change',
      verb: 'change',
      params: policy,
      summary: 'Talk to another peer, with another key, or in another way; what is not named gets its default',
    }),
    {
      ...changeState('ChangeIPSecConnectionState', '/ipsec/{uuid}/actions', name, ['enable', 'disable']),
      workflow: 'ipsecConnection.changeState',
    },
    action('ReconnectIPsecConnection', '/ipsec/{uuid}/actions', {
      of: name,
      workflow: 'ipsecConnection.reconnect',
      verb: 'reconnect',
      summary: 'End the tunnel and begin it anew',
    }),
    attach('AttachL3NetworksToIPsecConnection', 'POST', '/ipsec/{uuid}/l3networks', {
      of: name,
      workflow: 'ipsecConnection.attachL3',
      verb: 'attach-l3',
      params: { l3NetworkUuids },
      summary: 'Carry these networks too',
    }),
    attach('DetachL3NetworksFromIPsecConnection', 'DELETE', '/ipsec/{uuid}/l3networks', {
      of: name,
      workflow: 'ipsecConnection.detachL3',
      verb: 'detach-l3',
      params: { l3NetworkUuids },
      summary: 'Carry these networks no more',
    }),
    attach('AddRemoteCidrsToIPsecConnection', 'POST', '/ipsec/{uuid}/remote-cidrs', {
      of: name,
      workflow: 'ipsecConnection.addCidrs',
      verb: 'add-cidrs',
      params: { peerCidrs: cidrs },
      summary: 'Reach these networks of the peer too',
    }),
    attach('RemoveRemoteCidrsFromIPsecConnection', 'DELETE', '/ipsec/{uuid}/remote-cidrs', {
      of: name,
      workflow: 'ipsecConnection.removeCidrs',
      verb: 'remove-cidrs',
      params: { peerCidrs: cidrs },
      summary: 'Reach these networks of the peer no more',
    }),
    call('GetCandidateL3NetworksForIpSecConnection', 'GET', '/ipsec/candidatesL3Networks', {
      verb: 'candidate-l3',
      names: { uuid: name, publicL3Uuid: 'l3Network' },
      params: {
        ...{ uuid: uuid.optional(), publicL3Uuid: uuid.optional(), vipUuid: uuid.optional() },
        ...{ limit: z.number().int().min(1).max(10_000).optional(), start: z.number().int().min(0).optional() },
      },
      summary: 'Networks that a connection could carry',
      result: { kind: 'inventories', of: 'l3Network' },
    }),
    {
      ...call('GetIPsecConnectionCounters', 'GET', '/ipsec/{uuid}/counters', {
        verb: 'counters',
        summary: 'What a tunnel has carried since it was made or last rekeyed, as its host counts',
        result: {
          kind: 'fields',
          schema: z.object({
            ...{ bytesIn: count, bytesOut: count, packetsIn: count, packetsOut: count },
            ikeVersion: z.literal([1, 2]).nullable(),
          }),
        },
      }),
      own: true,
    },
    remove('DeleteIPsecConnection', '/ipsec/{uuid}', name, { workflow: 'ipsecConnection.delete' }),
  ],
})
