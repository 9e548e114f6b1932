export { firstKeys, KeyAuthority, type KeysDocument } from './authority.ts'
export { openKeys, ownConnection } from './open.ts'
export { KeyRotator, type RotatorPorts, revocation } from './rotation.ts'
export { type SiteKeys, type StartedKeys, startKeys } from './start.ts'
