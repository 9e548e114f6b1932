/** CD drives before their workflows are proven. */
import type { Row } from '@skerry/contract'
import { type Before, created, on, ran, vm } from './before.ts'
import { GIB, id, input, type TestWorld, u, vmParams } from './world.ts'
import { site } from './world-site.ts'

const iso = id('iso')

/** The site with an ISO in its store, and what ran on it. */
export const withIso =
  (earlier: [string, ReturnType<typeof on>][], given: ReturnType<typeof on>): Before =>
  async (w) => {
    await site(w)
    await addIso(w)
    for (const [name, i] of earlier) await ran(w, name, i)
    return given
  }

async function addIso(w: TestWorld): Promise<void> {
  const image = w.state.graph.get('image', u.image) as Row
  const refs = (image['backupStorageRefs'] as Row[]).map((ref) => ({ ...ref, imageUuid: iso }))
  const own = { uuid: iso, name: 'iso', format: 'iso', mediaType: 'ISO', sha256: 'b'.repeat(64), backupStorageRefs: refs }
  await w.commit({ ops: [{ o: 'put', t: 'image', k: iso, v: { ...image, ...own } }] })
  await w.agents.settle()
}

const attach = on('vmInstance', u.vm, { vmInstanceUuid: u.vm, isoUuid: iso })
const detach = on('vmInstance', u.vm, { vmInstanceUuid: u.vm })
const attached: [string, typeof attach] = ['vm.attachIso', attach]
const fromIso = input(u.vm, 'vmInstance', { ...vmParams, imageUuid: iso, rootDiskSize: GIB })

export const isoCases: Record<string, Before> = {
  'vm.attachIso': withIso([created], attach),
  'vm.detachIso': withIso([created, attached], detach),
}

/** Further ways through the same workflows. */
export const otherIsoCases: [sentence: string, workflow: string, before: Before][] = [
  ['a drive that held an ISO before', 'vm.attachIso', withIso([created, attached, ['vm.detachIso', detach]], attach)],
  ['a drive that is empty', 'vm.detachIso', withIso([created], detach)],
  ['a VM that is made from an ISO', 'vm.create', withIso([], fromIso)],
  ['a VM with an ISO in its drive', 'vm.expunge', withIso([created, attached, ['vm.destroy', vm]], vm)],
]
