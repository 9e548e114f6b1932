/** Calls about VXLANs whose subject is an L2 network, whatever view shows it. */
import { create, remove } from '../api.ts'
import { ipv4, uuid } from '../scalars.ts'
import { creating, vni } from './l2-fields.ts'

const POOL = '/l2-networks/vxlan-pool'

export const vxlanApis = [
  create('CreateL2VxlanNetworkPool', POOL, {
    rights: 'admin',
    of: 'l2Network',
    workflow: 'l2Network.createVxlanPool',
    verb: 'create-vxlan-pool',
    summary: 'Create a pool of VNIs',
    params: creating,
  }),
  create('CreateL2VxlanNetwork', '/l2-networks/vxlan', {
    rights: 'admin',
    of: 'l2Network',
    workflow: 'l2Network.createVxlan',
    verb: 'create-vxlan',
    summary: 'Create a layer 2 network with a VNI of a pool, the lowest that is free unless one is named',
    params: { ...creating, zoneUuid: uuid.optional(), poolUuid: uuid, vni: vni.optional() },
    names: { poolUuid: 'l2Network' },
  }),
  remove('DeleteVxlanL2Network', '/l2-networks/vxlan/{uuid}', 'l2Network', {
    rights: 'admin',
    verb: 'delete-vxlan',
    summary: 'Delete a layer 2 network over VXLAN',
  }),
  remove('DeleteVxlanPoolRemoteVtep', '/l2-networks/{l2NetworkUuid}/clusters/{clusterUuid}/delete/remote-vtep-ip', 'l2Network', {
    rights: 'admin',
    workflow: 'remoteVtep.delete',
    verb: 'delete-remote-vtep',
    params: { remoteVtepIp: ipv4 },
    summary: 'Flood to another VTEP no more',
  }),
] as const
