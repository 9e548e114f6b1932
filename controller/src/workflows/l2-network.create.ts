/** Creation of L2 networks: rows that mean something on hosts as soon as they are attached to a cluster. */
import { NO_VLAN, type Row, VLAN } from '@skerry/contract'
import { needCarrier } from './l2-network.vlan.ts'
import { creation } from './resource.create.ts'
import type { Action, Ctx } from './world.ts'

const p = (ctx: Ctx): Row => ctx.input.params

const common = (ctx: Ctx): Row => ({
  zoneUuid: p(ctx)['zoneUuid'],
  physicalInterface: p(ctx)['physicalInterface'],
  vSwitchType: 'LinuxBridge',
  isolated: p(ctx)['isolated'] ?? false,
  attachedClusterUuids: [],
})

const noVlan = creation({
  workflow: 'l2Network.create',
  table: 'l2Network',
  parents: { zoneUuid: 'zone' },
  row: (ctx) => ({ ...common(ctx), type: NO_VLAN }),
})

const vlan = creation({
  workflow: 'l2Network.createVlan',
  table: 'l2Network',
  parents: { zoneUuid: 'zone' },
  check: ({ params }) => needCarrier(params['physicalInterface']),
  row: (ctx) => ({ ...common(ctx), type: VLAN, vlan: p(ctx)['vlan'], virtualNetworkId: p(ctx)['vlan'] }),
})

export const l2NetworkCreations: readonly Action[] = [noVlan, vlan]
