/** Metadata elements inside a domain's XML, one per namespace, as libvirt keeps them. */
import { SkerryError } from '@skerry/contract'
import { libvirtCodes } from '../failure-data.ts'
import { at, element, readXml, writeXml, type XmlElement } from '../xml/document.ts'
import { FakeFailure } from './failure.ts'

export interface MetadataElement {
  uri: string
  prefix: string
  /** Null removes the element. */
  xml: string | null
}

const declares = (child: XmlElement, uri: string): boolean =>
  Object.entries(child.attributes).some(([key, value]) => /^xmlns(:|$)/.test(key) && value === uri)

/** The element of that namespace as libvirt hands it out: without prefix and declaration. Null when there is none. */
export function metadataIn(root: XmlElement, uri: string): string | null {
  const child = at(root, 'metadata')?.children.find((c) => declares(c, uri))
  if (!child) return null
  const attributes = Object.fromEntries(Object.entries(child.attributes).filter(([key]) => !/^xmlns(:|$)/.test(key)))
  return writeXml({ ...child, name: child.name.replace(/^.*:/, ''), attributes }).trimEnd()
}

function readElement({ uri, prefix, xml }: MetadataElement): XmlElement | null {
  if (xml === null) return null
  try {
    const given = readXml(xml)
    return { ...given, name: `${prefix}:${given.name}`, attributes: { [`xmlns:${prefix}`]: uri, ...given.attributes } }
  } catch (cause) {
    if (cause instanceof SkerryError) throw new FakeFailure(libvirtCodes.xmlDetail, `(metadata_xml): ${cause.message}`)
    throw cause
  }
}

/** The domain's XML with that element set, replaced or removed. */
export function withMetadata(xml: string, set: MetadataElement): string {
  const root = readXml(xml)
  const others = (at(root, 'metadata')?.children ?? []).filter((c) => !declares(c, set.uri))
  const metadata = element('metadata', {}, [...others, readElement(set)])
  const rest = root.children.filter((c) => c.name !== 'metadata')
  return writeXml({ ...root, children: metadata.children.length > 0 ? [...rest, metadata] : rest })
}
