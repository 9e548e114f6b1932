/** The demo's VM `hello`, of whichever guest it is made. */
import { type Row, SkerryError } from '@skerry/contract'
import type { Client } from '@skerry/sdk'
import { ensure, type Say } from '@skerry/sdk/ensure'
import { DEBIAN_USER } from '../debian/contents.ts'
import type { GuestKind } from '../settings.ts'

const MIB = 1024 * 1024
export const HELLO = 'hello'

/** What a guest needs, and who logs in to it; undefined: it has no ssh server. */
const KINDS: Record<
  GuestKind,
  { image: string; offering: string; cpuNum: number; memorySize: number; user: string | undefined }
> = {
  tiny: { image: 'tiny', offering: 'small', cpuNum: 1, memorySize: 256 * MIB, user: undefined },
  debian: { image: 'debian', offering: 'medium', cpuNum: 2, memorySize: 1024 * MIB, user: DEBIAN_USER },
}

/** Of which guest a VM is; undefined: a person made it of something else. */
async function kindOf(client: Client, vm: Row): Promise<GuestKind | undefined> {
  const { inventories } = await client.query('image', { q: [`uuid=${vm['imageUuid']}`] })
  const name = inventories[0]?.['name']
  return (Object.keys(KINDS) as GuestKind[]).find((kind) => KINDS[kind].image === name)
}

/** The VM where it is there, and what it is or is to be. Throws `conflict` when it is another than what is asked for. */
export async function findHello(client: Client, asked: GuestKind | undefined): Promise<{ kind: GuestKind; vm: Row | undefined }> {
  const q = [`name=${HELLO}`, 'state!=Destroyed']
  const [vm] = (await client.query('vmInstance', { q, sort: '+createDate', limit: 1 })).inventories
  if (!vm) return { kind: asked ?? 'tiny', vm: undefined }
  const kind = await kindOf(client, vm)
  if (asked === undefined || kind === asked) return { kind: kind ?? 'tiny', vm }
  const remedy = `skerry destroy vm ${HELLO} --yes --wait, then skerry expunge vm ${HELLO} --wait, and run this again`
  throw new SkerryError('conflict', `the VM ${HELLO} is there, and is no ${asked} guest`, { remedy })
}

export interface HelloInputs {
  client: Client
  say?: Say
  kind: GuestKind
  guest: { path: string; sha256: string }
  /** a line as in `authorized_keys` */
  publicKey: string | undefined
  backupStorage: string
  l3NetworkUuid: string
}

/** Makes offering, image and the VM; its row. */
export async function makeHello({ client, say, kind, guest, publicKey, ...o }: HelloInputs): Promise<Row> {
  const { image, offering, cpuNum, memorySize, user } = KINDS[kind]
  const size = { resource: 'instanceOffering', name: offering, api: 'CreateInstanceOffering', params: { cpuNum, memorySize } }
  const { row: sized } = await ensure(client, size, say)
  const imageParams = {
    url: `file://${guest.path}`,
    backupStorageUuids: [o.backupStorage],
    format: 'qcow2',
    mediaType: 'RootVolumeTemplate',
    platform: 'Linux',
    checksum: `sha256:${guest.sha256}`,
    // whom skerry ssh logs in as
    ...(user ? { userTags: [`ssh-user::${user}`] } : {}),
  }
  const { row: made } = await ensure(client, { resource: 'image', name: image, api: 'AddImage', params: imageParams }, say)
  const vmParams = {
    instanceOfferingUuid: sized['uuid'],
    imageUuid: made['uuid'],
    l3NetworkUuids: [o.l3NetworkUuid],
    ...(user && publicKey ? { systemTags: [`hostname::${HELLO}`, `sshkey::${publicKey}`] } : {}),
  }
  const where = ['state!=Destroyed']
  const making = { resource: 'vmInstance', name: HELLO, where, api: 'CreateVmInstance', params: vmParams }
  const vm = await ensure(client, making, say)
  return vm.row
}
