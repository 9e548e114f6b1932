/** What an operator adds to the controller: plugins and declared workflows. Chosen once, and kept by later runs of `up`, of a real site and of a simulated one. */
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { SkerryError } from '@skerry/contract'
import type { Files } from './files.ts'

/** Absolute paths; null: none. */
export interface Extensions {
  plugins: string | null
  workflows: string | null
}

/** Takes one away that an earlier run was given. */
export const NONE = 'none'

/** What is given now, else what was before. Throws `invalid-argument` where there is nothing at a path that is given now. */
export async function chosenExtensions(
  files: Pick<Files, 'stat'>,
  given: { plugins: string | undefined; workflows: string | undefined },
  before: Extensions | undefined,
): Promise<Extensions> {
  const chosen = async (flag: 'plugins' | 'workflows'): Promise<string | null> => {
    const path = given[flag]
    if (path === undefined) return before?.[flag] ?? null
    if (path === NONE) return null
    if (await files.stat(resolve(path))) return resolve(path)
    const field = `--${flag}`
    throw new SkerryError(
      'invalid-argument',
      `${field}: there is no ${resolve(path)}; ${field} ${NONE} takes away what was given`,
      {
        field,
      },
    )
  }
  return { plugins: await chosen('plugins'), workflows: await chosen('workflows') }
}

/** The configuration of a single plugin lies beside it. */
const besides = (path: string) => path.replace(/\.m?js$/, '.json')

/** Changes with the files: the controller reads them only when it starts. */
export async function extensionsFingerprint(files: Pick<Files, 'list' | 'sha256' | 'stat'>, chosen: Extensions): Promise<string> {
  const hash = createHash('sha256')
  for (const path of [chosen.plugins, chosen.workflows]) {
    if (path === null) continue
    const folder = (await files.stat(path))?.kind === 'folder'
    const names = folder ? ((await files.list(path)) ?? []).sort().map((name) => `${path}/${name}`) : [path, besides(path)]
    for (const name of names)
      if ((await files.stat(name))?.kind === 'file') hash.update(`${name}\0${(await files.sha256(name)) ?? ''}\0`)
  }
  return hash.digest('hex').slice(0, 16)
}
