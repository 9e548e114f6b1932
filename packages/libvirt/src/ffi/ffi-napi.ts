/**
 * The ffi-napi backend: binds the signature table to libvirt.so.0. Out-buffers, strings and callbacks are pinned in maps,
 * because V8 may collect a buffer that only native code still points to (that aborts the process).
 */
import { createRequire } from 'node:module'
import { type CallbackName, callbackSignatures, type FunctionName, outSizes, type Signature, signatures } from '../signatures.ts'
import { cTypes, marshal } from './arguments.ts'
import type { Answer, Native, Pointer } from './native.ts'

type Loaded = { ffi: typeof import('ffi-napi'); ref: typeof import('ref-napi') }
// biome-ignore lint/suspicious/noExplicitAny: ffi-napi types a bound function by its arguments, which here come from a table
type Bound = { (...args: any[]): unknown; async(...args: any[]): void }

const ffiReturn = {
  void: 'void',
  int: 'int',
  pointer: 'pointer',
  'string:owned': 'pointer',
  'string:borrowed': 'pointer',
} as const

function bind({ ffi }: Loaded, libraryName: string): Map<FunctionName, Bound> {
  const bound = new Map<FunctionName, Bound>()
  for (const library of ['libvirt', 'libc'] as const) {
    const wanted = Object.entries(signatures as Record<string, Signature>).filter(([, s]) => (s.library ?? 'libvirt') === library)
    const table = Object.fromEntries(
      wanted.map(([name, s]) => [
        name,
        [ffiReturn[s.returns], s.args.map((a) => (a in outSizes ? 'pointer' : cTypes[a as keyof typeof cTypes]))],
      ]),
    )
    const opened = ffi.Library(library === 'libvirt' ? libraryName : null, table as never) as unknown as Record<string, Bound>
    for (const [name] of wanted) bound.set(name as FunctionName, opened[name]!)
  }
  return bound
}

export class FfiNapi implements Native {
  readonly nullPointer: Pointer
  readonly #loaded: Loaded
  readonly #bound: Map<FunctionName, Bound>
  readonly #inFlight = new Map<number, unknown[]>()
  readonly #callbacks: unknown[] = []
  #next = 0

  constructor(libraryName = 'libvirt.so.0') {
    const require = createRequire(import.meta.url)
    this.#loaded = { ffi: require('ffi-napi'), ref: require('ref-napi') }
    this.nullPointer = this.#loaded.ref.NULL as unknown as Pointer
    this.#bound = bind(this.#loaded, libraryName)
  }

  call<F extends FunctionName>(fn: F, ...args: readonly unknown[]): Promise<Answer<F>> {
    const { values, outs } = marshal(fn, args, this.nullPointer)
    const id = this.#next++
    this.#inFlight.set(id, values)
    return new Promise((resolve, reject) => {
      this.#bound.get(fn)!.async(...values, (error: Error | null, returned: unknown) => {
        this.#inFlight.delete(id)
        if (error) reject(error)
        else resolve(this.#answer(fn, returned, outs))
      })
    })
  }

  callNow<F extends FunctionName>(fn: F, ...args: readonly unknown[]): Answer<F> {
    const { values, outs } = marshal(fn, args, this.nullPointer)
    return this.#answer(fn, this.#bound.get(fn)!(...values), outs)
  }

  callback<C extends CallbackName>(kind: C, handler: (...args: never) => void): Pointer {
    const { args, returns } = callbackSignatures[kind]
    const native = (this.#loaded.ffi.Callback as Function)(returns, args, (...given: unknown[]) => {
      ;(handler as (...a: unknown[]) => void)(...given)
      return returns === 'int' ? 0 : undefined
    })
    this.#callbacks.push(native)
    return native as Pointer
  }

  bytes(pointer: Pointer, offset: number, length: number): Buffer {
    return Buffer.from(this.#loaded.ref.reinterpret(asBuffer(pointer), offset + length, 0).subarray(offset))
  }

  pointerAt(pointer: Pointer, offset: number): Pointer | null {
    return this.#readPointer(this.#loaded.ref.reinterpret(asBuffer(pointer), offset + 8, 0), offset)
  }

  pointerIn(out: Buffer): Pointer | null {
    return this.#readPointer(out, 0)
  }

  text(pointer: Pointer): string {
    return this.#loaded.ref.reinterpretUntilZeros(asBuffer(pointer), 1, 0).toString('utf8')
  }

  #readPointer(buffer: Buffer, offset: number): Pointer | null {
    const read = this.#loaded.ref.readPointer(buffer, offset, 0)
    return this.#loaded.ref.isNull(read) ? null : (read as unknown as Pointer)
  }

  #answer<F extends FunctionName>(fn: F, returned: unknown, outs: Buffer[]): Answer<F> {
    const kind = (signatures[fn] as Signature).returns
    if (kind === 'int') return { returned: returned as never, outs }
    if (kind === 'void') return { returned: undefined as never, outs }
    const pointer = returned as Buffer
    if (this.#loaded.ref.isNull(pointer)) return { returned: null as never, outs }
    if (kind === 'pointer') return { returned: pointer as never, outs }
    const text = this.text(pointer as unknown as Pointer)
    if (kind === 'string:owned') this.#bound.get('free')!(pointer)
    return { returned: text as never, outs }
  }
}

const asBuffer = (pointer: Pointer): Buffer => pointer as unknown as Buffer
