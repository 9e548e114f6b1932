/** Putting a site on a machine and taking it off again; the guest image. */
export { buildGuest, type GuestBuild, type GuestImage } from './guest/build.ts'
export { CD_MODULES, LEASE_LINE, READY_LINE, SEED_LINE } from './guest/rootfs.ts'
export { type Layout, layoutOf } from './layout.ts'
export { readRecord, type SiteRecord } from './record.ts'
export { type ServiceSpec, type ServiceStatus, specHash } from './services/spec.ts'
export { askControl } from './supervisor/control.ts'
