/** Small JSON documents of `up`: read with a schema, written whole. */
import { SkerryError } from '@skerry/contract'
import type { Files } from '@skerry/host'
import type { z } from 'zod'

/** Undefined: there is no such file. A file that doesn't fit is an error that names it. */
export async function readDocument<T extends z.ZodType>(files: Files, path: string, schema: T): Promise<z.infer<T> | undefined> {
  const text = await files.read(path)
  if (text === undefined) return undefined
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new SkerryError('internal', `${path} cannot be read; move it away and run up again`, { path }, { cause })
  }
}

/** Owner-only. */
export async function writeDocument(files: Files, path: string, value: unknown): Promise<void> {
  await files.write(path, `${JSON.stringify(value, null, 2)}\n`, 0o600)
}

/** False: it stood there already, nothing was written. */
export async function writeIfChanged(files: Files, path: string, text: string, mode: number): Promise<boolean> {
  const [there, stat] = await Promise.all([files.read(path), files.stat(path)])
  if (there === text && stat?.mode === mode) return false
  await files.write(path, text, mode)
  return true
}
