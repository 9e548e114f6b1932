/** What was made of each VIP on this host, as files in its router's folder: what a VIP lost is known after any crash. */
import { vrouterDesired } from '@skerry/contract'
import type { Files } from '@skerry/host'
import { routerDir, routersDir } from '../routers/service.ts'
import type { Placed } from './have.ts'
import type { Spec } from './rules.ts'

const FILE = /^([0-9a-f]{32})\.json$/
const folder = (stateDir: string, router: string) => `${routerDir(stateDir, router)}/vips`
export const recordPath = (stateDir: string, router: string, vip: string) => `${folder(stateDir, router)}/${vip}.json`

/** By VIP. A file that says nothing is as none: the VIP is made again. */
export async function readRecords(files: Files, stateDir: string): Promise<Map<string, Placed[]>> {
  const found = new Map<string, Placed[]>()
  for (const routerUuid of (await files.list(routersDir(stateDir))) ?? []) {
    for (const name of ((await files.list(folder(stateDir, routerUuid))) ?? []).sort()) {
      const vip = FILE.exec(name)?.[1]
      const spec = vip && parse(await files.read(recordPath(stateDir, routerUuid, vip)))
      if (spec) found.set(vip, [...(found.get(vip) ?? []), { routerUuid, spec }])
    }
  }
  return found
}

function parse(text: string | undefined): Spec | undefined {
  try {
    return vrouterDesired.vip.spec.safeParse(JSON.parse(text ?? '')).data
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

export async function writeRecord(
  files: Files,
  at: { stateDir: string; router: string; vip: string },
  spec: Spec,
): Promise<void> {
  await files.makeDir(folder(at.stateDir, at.router), 0o755)
  await files.write(recordPath(at.stateDir, at.router, at.vip), `${JSON.stringify(spec)}\n`)
}
