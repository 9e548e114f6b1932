/** Uuids of settings follow from what they are of: there can't be two of one. */
import { hash } from 'node:crypto'

/** Shaped as a UUIDv4. `resourceUuid`: of a setting of its own. */
export function idOf(key: string, resourceUuid = ''): string {
  const hex = hash('sha256', `config/${key}/${resourceUuid}`)
  return `${hex.slice(0, 12)}4${hex.slice(13, 16)}${'89ab'[Number.parseInt(hex[16]!, 16) & 3]}${hex.slice(17, 32)}`
}
