/** From what a caller gives to what a C function takes: out-buffers are made here, text becomes C strings. The same for each backend. */
import { type FunctionName, outSizes, signatures } from '../signatures.ts'

/** The kinds of the table as the words of C that both FFI libraries know; text and out-buffers go as pointers to buffers. */
export const cTypes = {
  pointer: 'pointer',
  string: 'pointer',
  'string?': 'pointer',
  bytes: 'pointer',
  int: 'int',
  uint: 'uint',
  size: 'size_t',
} as const

/** `values`: one for each argument; buffers among them must stay referenced until the call has ended. */
export interface Marshalled {
  values: unknown[]
  outs: Buffer[]
}

/** `nothing`: what the backend takes for NULL. */
export function marshal(fn: FunctionName, given: readonly unknown[], nothing: unknown): Marshalled {
  const outs: Buffer[] = []
  let next = 0
  const values = signatures[fn].args.map((kind) => {
    if (kind in outSizes) {
      const out = Buffer.alloc(outSizes[kind as keyof typeof outSizes])
      outs.push(out)
      return out
    }
    const value = given[next++]
    if (kind === 'string' || kind === 'string?') return value === null ? nothing : cString(String(value))
    return value
  })
  return { values, outs }
}

/** A C string. A NUL inside would silently cut the text, so it is refused. */
function cString(text: string): Buffer {
  if (text.includes('\0')) throw new TypeError('text for libvirt holds a NUL character')
  return Buffer.from(`${text}\0`, 'utf8')
}
