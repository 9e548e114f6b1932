/**
 * Another certificate authority while the site works. First everybody trusts both (`trust`), then the servers show certificates of
 * the new one (`switch`), then nobody trusts the old one any more (`forget`). The phase is written down before its files are, and
 * they are written again at each run, so that a run may be cut off anywhere.
 */
import { createCa } from '@skerry/bus'
import type { Files } from '@skerry/host'
import { z } from 'zod'
import { readDocument, writeDocument, writeIfChanged } from '../documents.ts'
import type { Layout } from '../layout.ts'

const phases = ['trust', 'switch', 'forget'] as const
export type CaPhase = (typeof phases)[number]

/** `<state>/ca/rotation.json`. Secret. */
const rotationFile = z.object({
  phase: z.enum(phases),
  old: z.object({ certPem: z.string() }),
  next: z.object({ certPem: z.string(), keyPem: z.string() }),
})

interface Ports {
  files: Files
  layout: Layout
}

/** Undefined: none is going on. */
export async function caPhase({ files, layout }: Ports): Promise<CaPhase | undefined> {
  return (await readDocument(files, layout.caRotation, rotationFile))?.phase
}

/** Nothing to do when one is going on. */
export async function beginCaRotation(ports: Ports): Promise<void> {
  const { files, layout } = ports
  if (await caPhase(ports)) return
  const certPem = (await files.read(layout.caCert)) ?? ''
  await writeDocument(files, layout.caRotation, { phase: 'trust', old: { certPem }, next: await createCa() })
}

/** The files as the phase wants them. The first certificate of `caCert` is the one that `caKey` signs for. */
export async function applyCaPhase({ files, layout }: Ports): Promise<void> {
  const rotation = await readDocument(files, layout.caRotation, rotationFile)
  if (!rotation) return
  const { phase, old, next } = rotation
  const trusted = { trust: [old, next], switch: [next, old], forget: [next] }[phase]
  if (phase !== 'trust') await writeIfChanged(files, layout.caKey, next.keyPem, 0o600)
  await writeIfChanged(files, layout.caCert, trusted.map(({ certPem }) => `${certPem.trimEnd()}\n`).join(''), 0o644)
}

/** After everybody has followed: the next phase, or the end. */
export async function endCaPhase({ files, layout }: Ports): Promise<void> {
  const rotation = await readDocument(files, layout.caRotation, rotationFile)
  if (!rotation) return
  const phase = phases[phases.indexOf(rotation.phase) + 1]
  if (phase) await writeDocument(files, layout.caRotation, { ...rotation, phase })
  else await files.remove(layout.caRotation)
}
