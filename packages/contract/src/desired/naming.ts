/** Names of things on a host, derived from uuids so that controller, agents and audit agree. Each shows by its prefix that it is ours. */

/** Bridge of an L2 network: 15 characters (IFNAMSIZ − 1). */
export const bridgeName = (l2NetworkUuid: string) => `skbr${l2NetworkUuid.slice(0, 11)}`
/** Tap device of a NIC. */
export const tapName = (nicUuid: string) => `sktp${nicUuid.slice(0, 11)}`
/** Network namespace of a router. */
export const routerNetns = (l3NetworkUuid: string) => `skerry-${l3NetworkUuid}`
/** veth between a bridge and its router: the bridge's end. */
export const routerPort = (l3NetworkUuid: string) => `skrp${l3NetworkUuid.slice(0, 11)}`
/** veth between a router and its host: the host's end. */
export const routerUplink = (l3NetworkUuid: string) => `skup${l3NetworkUuid.slice(0, 11)}`
/** libvirt domain name: readable, unique; the uuid is the identity. */
export const domainName = (vmUuid: string) => `skerry-${vmUuid}`

export const volumePath = (poolPath: string, volumeUuid: string, format: string) => `${poolPath}/volumes/${volumeUuid}.${format}`
export const cachePath = (poolPath: string, sha256: string, format: string) => `${poolPath}/cache/${sha256}.${format}`
export const storePath = (storePath: string, sha256: string, format: string) => `${storePath}/images/${sha256}.${format}`
