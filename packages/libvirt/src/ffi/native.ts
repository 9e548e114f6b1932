/**
 * What a backend offers over the signature table. Operations are written against this, so that they run on ffi-napi and on koffi.
 * A backend must keep every buffer and callback referenced until the native side is done with it.
 */
import type { CallbackArgs, CallbackName, FunctionName, Inputs, Returned } from '../signatures.ts'

/** The libraries that there is a backend for, in the order in which they are tried. */
export const ffiNames = ['ffi-napi', 'koffi'] as const
export type FfiName = (typeof ffiNames)[number]

/** An address; only the backend looks inside. */
export type Pointer = { readonly __pointer: unique symbol }

export interface Answer<F extends FunctionName> {
  readonly returned: Returned<F, Pointer>
  /** The out-buffers in the order of the arguments, filled. */
  readonly outs: readonly Buffer[]
}

export interface Native {
  readonly nullPointer: Pointer
  /** Runs on a pool thread. Rejects only when the call could not be made; libvirt's own failures are in `returned`. */
  call<F extends FunctionName>(fn: F, ...args: Inputs<F, Pointer>): Promise<Answer<F>>
  /** Runs on this thread: only for functions that neither wait nor talk to the daemon. */
  callNow<F extends FunctionName>(fn: F, ...args: Inputs<F, Pointer>): Answer<F>
  /** A function pointer for libvirt that lives until the process ends. */
  callback<C extends CallbackName>(kind: C, handler: (...args: CallbackArgs<C, Pointer>) => void): Pointer
  /** Copies `length` bytes at `pointer + offset`. */
  bytes(pointer: Pointer, offset: number, length: number): Buffer
  /** The pointer stored at `pointer + offset`; null for NULL. */
  pointerAt(pointer: Pointer, offset: number): Pointer | null
  /** The pointer that an `out:pointer` buffer received; null for NULL. */
  pointerIn(out: Buffer): Pointer | null
  /** The NUL-terminated UTF-8 text at `pointer`. */
  text(pointer: Pointer): string
}
