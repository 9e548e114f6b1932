/**
 * XML as data. Writing escapes every value and refuses what XML 1.0 cannot carry; nothing is ever concatenated from values.
 * Reading keeps prefixes and text exactly, and tolerates elements that we do not know.
 */
import { SkerryError } from '@skerry/contract'
import { SaxesParser } from 'saxes'

export interface XmlElement {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly XmlElement[]
  /** The concatenated text directly inside. */
  readonly text: string
}

type Attributes = Record<string, string | number | undefined>
type Child = XmlElement | null | undefined | false

/** An element; undefined attributes and empty children are left out. */
export function element(name: string, attributes: Attributes = {}, content: readonly Child[] | string | number = []): XmlElement {
  const present = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, String(value)] as const],
  )
  const isText = typeof content === 'string' || typeof content === 'number'
  return {
    name,
    attributes: Object.fromEntries(present),
    children: isText ? [] : content.filter((c): c is XmlElement => Boolean(c)),
    text: isText ? String(content) : '',
  }
}

const NAME = /^[A-Za-z_][A-Za-z0-9_.-]*(:[A-Za-z_][A-Za-z0-9_.-]*)?$/
/** What XML 1.0 §2.2 has no way to write: control characters, lone surrogates, U+FFFE and U+FFFF. */
const FORBIDDEN =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
}

/** White space is written as references, else a reader would normalise it. */
function escapeXml(value: string, where: string): string {
  if (FORBIDDEN.test(value)) {
    throw new SkerryError('invalid-argument', `${where} holds a character that XML cannot carry`, { where })
  }
  return value.replace(/[&<>"'\t\n\r]/g, (c) => escapes[c]!)
}

function checkName(name: string): string {
  if (!NAME.test(name)) throw new SkerryError('invalid-argument', 'not a name for XML', { name })
  return name
}

/** The element as indented text, ending with a newline. */
export function writeXml(node: XmlElement, depth = 0): string {
  const indent = '  '.repeat(depth)
  const name = checkName(node.name)
  const attributes = Object.entries(node.attributes)
    .map(([key, value]) => ` ${checkName(key)}="${escapeXml(value, `${name}@${key}`)}"`)
    .join('')
  if (node.children.length > 0) {
    return `${indent}<${name}${attributes}>\n${node.children.map((c) => writeXml(c, depth + 1)).join('')}${indent}</${name}>\n`
  }
  if (node.text === '') return `${indent}<${name}${attributes}/>\n`
  return `${indent}<${name}${attributes}>${escapeXml(node.text, name)}</${name}>\n`
}

interface Building extends XmlElement {
  children: XmlElement[]
  text: string
}

/** The root element. Fails with `invalid-argument` on what is not one well-formed document; document types are refused. */
export function readXml(xml: string): XmlElement {
  if (xml.includes('<!DOCTYPE')) throw new SkerryError('invalid-argument', 'XML with a document type is refused')
  try {
    return treeOf(xml)
  } catch (cause) {
    throw new SkerryError('invalid-argument', 'the XML cannot be read', { message: (cause as Error).message }, { cause })
  }
}

/** Throws the parser's own error; without a root element that is one too. */
function treeOf(xml: string): XmlElement {
  const parser = new SaxesParser({ xmlns: false, position: false })
  const open: Building[] = []
  let root: XmlElement | undefined
  parser.on('error', (error) => {
    throw error
  })
  parser.on('opentag', ({ name, attributes }) => {
    const node: Building = { name, attributes: { ...attributes }, children: [], text: '' }
    const parent = open.at(-1)
    if (parent) parent.children.push(node)
    else root = node
    open.push(node)
  })
  parser.on('closetag', () => void open.pop())
  const onText = (text: string) => {
    const inside = open.at(-1)
    if (inside) inside.text += text
  }
  parser.on('text', onText)
  parser.on('cdata', onText)
  parser.write(xml).close()
  return root!
}

export const childrenNamed = (node: XmlElement | undefined, name: string): XmlElement[] =>
  node?.children.filter((c) => c.name === name) ?? []

/** The first element at that path below `node`. */
export function at(node: XmlElement | undefined, ...path: string[]): XmlElement | undefined {
  return path.reduce<XmlElement | undefined>((here, name) => here?.children.find((c) => c.name === name), node)
}
