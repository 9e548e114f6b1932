/**
 * The koffi backend: the same signature table over koffi, whose addon comes ready-made for each platform. A pointer is its
 * address as a bigint, NULL is null. Buffers of calls are pinned by ourselves until their callback: koffi hands libvirt their
 * address and keeps no reference.
 */
import { createRequire } from 'node:module'
import { type CallbackName, callbackSignatures, type FunctionName, outSizes, type Signature, signatures } from '../signatures.ts'
import { cTypes, marshal } from './arguments.ts'
import type { Answer, Native, Pointer } from './native.ts'

type Koffi = typeof import('koffi')
type Bound = ReturnType<ReturnType<Koffi['load']>['func']>
type Address = bigint | null

const POINTER_BYTES = 8
const cType = { ...cTypes, pointer: 'void *', string: 'void *', 'string?': 'void *', bytes: 'void *' } as const
const cReturn = { void: 'void', int: 'int', pointer: 'void *', 'string:owned': 'void *', 'string:borrowed': 'void *' } as const

function bind(koffi: Koffi, libraryName: string): Map<FunctionName, Bound> {
  const libraries = { libvirt: koffi.load(libraryName), libc: koffi.load(null) }
  const bound = Object.entries(signatures as Record<string, Signature>).map(([name, signature]) => {
    const args = signature.args.map((kind) => (kind in outSizes ? 'void *' : cType[kind as keyof typeof cType]))
    const fn = libraries[signature.library ?? 'libvirt'].func(name, cReturn[signature.returns], args)
    return [name as FunctionName, fn] as const
  })
  return new Map(bound)
}

export class KoffiNative implements Native {
  readonly nullPointer = null as unknown as Pointer
  readonly #koffi: Koffi
  readonly #bound: Map<FunctionName, Bound>
  readonly #copy: Bound
  readonly #inFlight = new Map<number, unknown[]>()
  #next = 0

  constructor(libraryName = 'libvirt.so.0') {
    this.#koffi = createRequire(import.meta.url)('koffi') as Koffi
    this.#bound = bind(this.#koffi, libraryName)
    this.#copy = this.#koffi.load(null).func('memcpy', 'void *', ['void *', 'void *', 'size_t'])
  }

  call<F extends FunctionName>(fn: F, ...args: readonly unknown[]): Promise<Answer<F>> {
    const { values, outs } = marshal(fn, args, null)
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
    const { values, outs } = marshal(fn, args, null)
    return this.#answer(fn, this.#bound.get(fn)!(...values), outs)
  }

  /** koffi keeps what is registered until it is unregistered, which nobody does. */
  callback<C extends CallbackName>(kind: C, handler: (...args: never) => void): Pointer {
    const { args, returns } = callbackSignatures[kind]
    const proto = this.#koffi.proto(
      returns,
      args.map((kind) => cType[kind]),
    )
    const native = this.#koffi.register((...given: unknown[]) => {
      ;(handler as (...a: unknown[]) => void)(...given)
      return returns === 'int' ? 0 : undefined
    }, this.#koffi.pointer(proto))
    return native as unknown as Pointer
  }

  bytes(pointer: Pointer, offset: number, length: number): Buffer {
    const copy = Buffer.alloc(length)
    if (length > 0) this.#copy(copy, (addressOf(pointer) as bigint) + BigInt(offset), length)
    return copy
  }

  pointerAt(pointer: Pointer, offset: number): Pointer | null {
    return this.pointerIn(this.bytes(pointer, offset, POINTER_BYTES))
  }

  pointerIn(out: Buffer): Pointer | null {
    const address = out.readBigUInt64LE(0)
    return address === 0n ? null : (address as unknown as Pointer)
  }

  text(pointer: Pointer): string {
    return this.#koffi.decode.string(addressOf(pointer))
  }

  #answer<F extends FunctionName>(fn: F, returned: unknown, outs: Buffer[]): Answer<F> {
    const kind = (signatures[fn] as Signature).returns
    if (kind === 'int') return { returned: returned as never, outs }
    if (kind === 'void') return { returned: undefined as never, outs }
    const pointer = returned as Pointer | null
    if (pointer === null || kind === 'pointer') return { returned: pointer as never, outs }
    const text = this.text(pointer)
    if (kind === 'string:owned') this.#bound.get('free')!(pointer)
    return { returned: text as never, outs }
  }
}

const addressOf = (pointer: Pointer): Address => pointer as unknown as Address
