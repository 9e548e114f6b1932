/** Takes the context that `up` wrote out of the command line's file. A person's own contexts stay. */
import { CheckedFile } from '@skerry/agent'
import type { Files } from '@skerry/host'
import { z } from 'zod'

const contexts = z.object({ current: z.string(), contexts: z.record(z.string(), z.unknown()) })

/** `folder`: holds `contexts.json`. False: there was none of that name. */
export async function removeContext(files: Files, folder: string, name: string): Promise<boolean> {
  const file = new CheckedFile(files, `${folder}/contexts.json`, contexts)
  const data = await file.read()
  if (!data || !(name in data.contexts)) return false
  const { [name]: _ours, ...rest } = data.contexts
  await files.remove(`${folder}/known_hosts-${name}`)
  const [next] = Object.keys(rest)
  if (next === undefined) {
    await file.remove()
    if (((await files.list(folder)) ?? []).length === 0) await files.remove(folder)
    return true
  }
  await file.write({ current: data.current === name ? next : data.current, contexts: rest })
  // the previous copy still holds our session
  await files.remove(`${folder}/contexts.json.prev`)
  return true
}
