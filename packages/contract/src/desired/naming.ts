/** Names of things on a host, derived from uuids so that controller, agents and audit agree. Each shows by its prefix that it is ours. */

/** IFNAMSIZ − 1 */
const IFNAME_MAX = 15
/** Bridge of an L2 network: 15 characters (IFNAMSIZ − 1). */
export const bridgeName = (l2NetworkUuid: string) => `skbr${l2NetworkUuid.slice(0, 11)}`
/** The VLAN of a NIC that is a bridge's uplink: as everybody calls it, or after its L2 network where that is too long for the kernel. */
export const vlanName = (nic: string, vid: number, l2NetworkUuid: string) => {
  const usual = `${nic}.${vid}`
  return usual.length <= IFNAME_MAX ? usual : `skvl${l2NetworkUuid.slice(0, 11)}`
}
/** The VXLAN that is a bridge's uplink. */
export const vxlanName = (l2NetworkUuid: string) => `skvx${l2NetworkUuid.slice(0, 11)}`
/** Tap device of a NIC. */
const TAP = 'sktp'
export const tapName = (nicUuid: string) => `${TAP}${nicUuid.slice(0, 11)}`
export const isTap = (name: string | null): name is string => name?.startsWith(TAP) === true
/** Network namespace of a router. */
export const routerNetns = (l3NetworkUuid: string) => `skerry-${l3NetworkUuid}`
/**
 * What serves an L3 network on each host of its guests (provider Flat) is a router too, under a uuid of its own, because the network may
 * have a router besides: each digit of the network's uuid, from 15 down. Twice is the network again.
 */
export const flatRouter = (l3NetworkUuid: string) =>
  l3NetworkUuid.replace(/[0-9a-f]/g, (digit) => (15 - Number.parseInt(digit, 16)).toString(16))
/** veth between a bridge and its router: the bridge's end. */
export const routerPort = (l3NetworkUuid: string) => `skrp${l3NetworkUuid.slice(0, 11)}`
/** veth between a router and its host: the host's end. */
export const routerUplink = (l3NetworkUuid: string) => `skup${l3NetworkUuid.slice(0, 11)}`
/** veth between the bridge of a public network and a router: the bridge's end. Of both uuids, because a router may have several. */
export const routerLeg = (routerUuid: string, publicL3Uuid: string) => `sklg${routerUuid.slice(0, 6)}${publicL3Uuid.slice(0, 5)}`
/** The router's end of the veth to one of several networks of its own. */
export const lanName = (l3NetworkUuid: string) => `lan${l3NetworkUuid.slice(0, 12)}`
/** The router's end. */
export const legName = (publicL3Uuid: string) => `pub${publicL3Uuid.slice(0, 12)}`
/** libvirt domain name: readable, unique; the uuid is the identity. */
export const domainName = (vmUuid: string) => `skerry-${vmUuid}`

/** Name of a disk inside a VM's definition, from its device id: it stays the same when other disks come and go. */
export const diskTarget = (deviceId: number) => `vd${String.fromCharCode(97 + deviceId)}`
export const deviceIdOf = (target: string) => target.charCodeAt(2) - 97

export const volumePath = (poolPath: string, volumeUuid: string, format: string) => `${poolPath}/volumes/${volumeUuid}.${format}`
/** One of the files that a volume with snapshots consists of: each lies over another one; the volume's first file has the name above. */
export const layerPath = (poolPath: string, volumeUuid: string, layerUuid: string) =>
  `${poolPath}/volumes/${volumeUuid}.${layerUuid}.qcow2`
/** The volume that a file in a pool's folder of volumes belongs to; undefined: it is none that was finished. */
export const volumeOfFile = (fileName: string): string | undefined =>
  /^([0-9a-f]{32})(\.[0-9a-f]{32})?\.(qcow2|raw)$/.exec(fileName)?.[1]
/** Name of a file of a volume inside its folder. */
export const fileNameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1)
/** The file of this name in the folder of that path. */
export const besides = (path: string, fileName: string) => `${path.slice(0, path.lastIndexOf('/') + 1)}${fileName}`
export const cachePath = (poolPath: string, sha256: string, format: string) => `${poolPath}/cache/${sha256}.${format}`
export const storePath = (storePath: string, sha256: string, format: string) => `${storePath}/images/${sha256}.${format}`
