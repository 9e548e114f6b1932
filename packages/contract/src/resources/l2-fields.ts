/** What all kinds of L2 networks have in common: they are rows of one table, and views of it show what is theirs. */
import { z } from 'zod'
import { cidr4, ifname, line, uuid } from '../scalars.ts'

export const NO_VLAN = 'L2NoVlanNetwork'
export const VLAN = 'L2VlanNetwork'

export const VXLAN_POOL = 'VxlanNetworkPool'
export const VXLAN = 'VxlanNetwork'
/** Of UDP, as IANA has it. */
export const VXLAN_PORT = 4789

/** IEEE 802.1Q; ZStack's limits. */
export const vlan = z.number().int().min(1).max(4094)
/** 24 bits without the last one; ZStack's limits. */
export const vni = z.number().int().min(1).max(16_777_214)
export const vSwitchType = z.enum(['LinuxBridge']).optional()
/** What every creation of an L2 network takes. */
export const creating = { zoneUuid: uuid, type: line(64).optional(), vSwitchType, isolated: z.boolean().optional() }

export const fields = {
  zoneUuid: uuid,
  /** null: of VXLANs, which need none */
  physicalInterface: ifname.nullable().optional(),
  type: z.string(),
  vSwitchType: z.string(),
  /** the number of the VLAN or VXLAN */
  virtualNetworkId: z.number().int().nullable().optional(),
  isolated: z.boolean().optional(),
  attachedClusterUuids: z.array(uuid),
  vlan: vlan.nullable().optional(),
  vni: vni.nullable().optional(),
  poolUuid: uuid.nullable().optional(),
  /** of a VXLAN pool, by cluster: where the VTEPs of its hosts are */
  attachedCidrs: z.record(uuid, cidr4).optional(),
} as const

/** Fields that only views show. */
export const hiddenFields = ['vlan', 'vni', 'poolUuid', 'attachedCidrs'] as const
export const hiddenBut = (...shown: string[]): readonly string[] => hiddenFields.filter((field) => !shown.includes(field))
/** What the views have in common. */
export const view = { scope: { owner: 'ownerUuid', used: true }, fields, edges: {}, indexes: [] } as const
