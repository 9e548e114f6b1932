/** [format] What stands in an upload's URL: `<image uuid>_<secret>`. It lets its holder send the bytes of that one image, until it is whole or given up. */
import { timingSafeEqual } from 'node:crypto'
import { PREFIX, type Row, routes, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { uploadSecret } from '../workflows/image.upload.ts'

const TOKEN = /^([0-9a-f]{32})_([A-Za-z0-9_-]{32})$/

type SecretOf = (name: string) => string

/** The image. Throws `session-invalid`, the same for an image that is unknown and for a wrong secret. */
export function imageOfToken(graph: Graph, secretOf: SecretOf, text: string): Readonly<Row> {
  const [, uuid, secret] = TOKEN.exec(text) ?? []
  const image = uuid === undefined ? undefined : graph.get('image', uuid)
  const right = image && secret !== undefined && same(secret, uploadSecret(secretOf, image))
  if (!image || !right) throw new SkerryError('session-invalid', 'this is the token of no upload')
  return image
}

const same = (a: string, b: string) => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

/** Where the bytes of an image go. `scheme` is that of WebSockets. */
export function uploadUrl(
  { hostname, port, scheme }: { hostname: string; port: number; scheme: string },
  secretOf: SecretOf,
  image: Readonly<Row>,
): string {
  const token = `${image['uuid']}_${uploadSecret(secretOf, image)}`
  const host = hostname.includes(':') ? `[${hostname}]` : hostname
  return `${scheme.replace(/^ws/, 'http')}://${host}:${port}${PREFIX.own}${routes.upload.replace('{token}', token)}`
}
