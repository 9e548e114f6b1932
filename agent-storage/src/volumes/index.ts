/** Noun `volume`: a disk image file in a pool, perhaps an overlay on a cached image. */
import { storageDesired } from '@skerry/contract'
import type { Module } from '@skerry/reconcile'
import { apply, type VolumePorts } from './apply.ts'
import { observe, type VolumeHave } from './observe.ts'
import { plan, report, steady, type VolumeChange } from './plan.ts'

/** Copying an image takes long; other volumes needn't wait for it. */
const CONCURRENCY = 4

export function volumeModule(ports: VolumePorts): Module<storageDesired.VolumeSpec, VolumeHave, VolumeChange> {
  return {
    ...storageDesired.volume,
    concurrency: CONCURRENCY,
    single: true,
    observe: (context) => observe(ports.files, context),
    plan,
    apply: (change) => apply(ports, change),
    report,
    steady,
  }
}
