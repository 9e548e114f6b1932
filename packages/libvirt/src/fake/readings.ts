/** Texts of XML that were read: a domain's is asked for again and again, and reading it is what the fake would mostly do. */
import { readXml, type XmlElement } from '../xml/document.ts'

/** A few domains' worth at a time: definition and first start read the same text. */
const KEPT = 64

export class Readings {
  readonly #read = new Map<string, XmlElement>()

  /** As `readXml`. */
  of(xml: string): XmlElement {
    const known = this.#read.get(xml)
    if (known) return known
    const root = readXml(xml)
    this.#read.set(xml, root)
    if (this.#read.size > KEPT) this.#read.delete(this.#read.keys().next().value!)
    return root
  }
}
