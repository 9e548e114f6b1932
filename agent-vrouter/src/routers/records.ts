/** What was made on this host of documents that belong to a router, as files in its folder: what one lost is known after any crash. */
import type { Files } from '@skerry/host'
import type { z } from 'zod'
import { routerDir, routersDir } from './service.ts'

export interface Placed<Spec> {
  routerUuid: string
  spec: Spec
}

export interface RecordPlace {
  stateDir: string
  router: string
  uuid: string
}

const FILE = /^([0-9a-f]{32})\.json$/

/** `kind`: the folder within a router's. */
export function recordsOf<Spec>(kind: 'vips' | 'ipsec', schema: z.ZodType<Spec>) {
  const folder = (stateDir: string, router: string) => `${routerDir(stateDir, router)}/${kind}`
  const path = ({ stateDir, router, uuid }: RecordPlace) => `${folder(stateDir, router)}/${uuid}.json`
  const parse = (text: string | undefined): Spec | undefined => {
    try {
      return schema.safeParse(JSON.parse(text ?? '')).data
    } catch (error) {
      if (error instanceof SyntaxError) return undefined
      throw error
    }
  }
  return {
    path,
    /** By document. A file that says nothing is as none: it is made again. */
    async read(files: Files, stateDir: string): Promise<Map<string, Placed<Spec>[]>> {
      const found = new Map<string, Placed<Spec>[]>()
      for (const router of (await files.list(routersDir(stateDir))) ?? []) {
        for (const name of ((await files.list(folder(stateDir, router))) ?? []).sort()) {
          const uuid = FILE.exec(name)?.[1]
          const spec = uuid && parse(await files.read(path({ stateDir, router, uuid })))
          if (spec) found.set(uuid, [...(found.get(uuid) ?? []), { routerUuid: router, spec }])
        }
      }
      return found
    },
    async write(files: Files, at: RecordPlace, spec: Spec): Promise<void> {
      await files.makeDir(folder(at.stateDir, at.router), 0o755)
      await files.write(path(at), `${JSON.stringify(spec)}\n`)
    },
  }
}
