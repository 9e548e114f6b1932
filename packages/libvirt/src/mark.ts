/** The mark on the domains that are ours: an element in the domain's metadata. What lacks it is the user's and is not touched. */
import { SkerryError } from '@skerry/contract'
import { element, readXml, writeXml, type XmlElement } from './xml/document.ts'

/** [format] libvirt keeps one metadata element per namespace. */
export const markNamespace = 'https://skerry.dev/libvirt/1'
export const markPrefix = 'skerry'

export interface Mark {
  /** The VM's uuid, 32 hex digits. */
  uuid: string
  /** `<incarnation>.<seq>` of the desired document that this definition was made from. */
  generation: string
  /** Hash of the definition. */
  hash: string
  /** Hash of what only the next start can change of it; absent: all of it. */
  base?: string
}

const attributes = (mark: Mark) => ({ uuid: mark.uuid, generation: mark.generation, hash: mark.hash, base: mark.base })

/** The element as it stands inside a domain's metadata. */
export const markElement = (mark: Mark): XmlElement =>
  element(`${markPrefix}:vm`, { [`xmlns:${markPrefix}`]: markNamespace, ...attributes(mark) })

/** The arguments of `domainSetMetadata`: libvirt adds prefix and namespace itself. */
export const markMetadata = (mark: Mark): { uri: string; prefix: string; xml: string } => ({
  uri: markNamespace,
  prefix: markPrefix,
  xml: writeXml(element('vm', attributes(mark))),
})

function markOf(node: XmlElement, namespaceOptional: boolean): Mark | null {
  const [prefix, local] = node.name.includes(':') ? node.name.split(':', 2) : ['', node.name]
  const declared = node.attributes[prefix ? `xmlns:${prefix}` : 'xmlns']
  if (local !== 'vm' || (declared ?? (namespaceOptional ? markNamespace : '')) !== markNamespace) return null
  const { uuid, generation, hash, base } = node.attributes
  if (uuid === undefined || generation === undefined || hash === undefined) return null
  return { uuid, generation, hash, ...(base === undefined ? {} : { base }) }
}

/** The mark in a domain's `<metadata>`; null when there is none, or it lacks a field. */
export function findMark(metadata: XmlElement | undefined): Mark | null {
  for (const child of metadata?.children ?? []) {
    const mark = markOf(child, false)
    if (mark) return mark
  }
  return null
}

/** The mark in what `domainGetMetadata` and `listDomains` with `markNamespace` give. */
export function parseMark(metadataXml: string | null | undefined): Mark | null {
  if (metadataXml === null || metadataXml === undefined) return null
  try {
    // libvirt gives the element of the namespace it was asked for, often without the declaration.
    return markOf(readXml(metadataXml), true)
  } catch (error) {
    if (error instanceof SkerryError) return null // not readable, hence not our mark
    throw error
  }
}
