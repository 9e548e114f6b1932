/** Parts as one tar.gz. */
import { createGzip } from 'node:zlib'
import { pack } from 'tar-stream'

export async function packed(
  folder: string,
  parts: readonly { name: string; text: string }[],
  atMs: number,
): Promise<Uint8Array> {
  const archive = pack()
  for (const { name, text } of parts) archive.entry({ name: `${folder}/${name}`, mode: 0o600, mtime: new Date(atMs) }, text)
  archive.finalize()
  const chunks: Uint8Array[] = []
  for await (const chunk of archive.pipe(createGzip())) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks)
}
