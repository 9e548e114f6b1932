/** Which FFI library reaches libvirt: the first that loads on this machine, or the one that is asked for. */
import { FfiNapi } from './ffi-napi.ts'
import { KoffiNative } from './koffi.ts'
import { type FfiName, ffiNames, type Native } from './native.ts'

export interface LoadedFfi {
  ffi: FfiName
  native: Native
  /** Why each of those before it did not load. */
  passedOver: string[]
}

const backends: Record<FfiName, () => Native> = { 'ffi-napi': () => new FfiNapi(), koffi: () => new KoffiNative() }

/** `wanted`: the only one to try; `auto`: each in order. Throws an error that names what each of them said. */
export function loadFfi(wanted: FfiName | 'auto', open: Record<FfiName, () => Native> = backends): LoadedFfi {
  const passedOver: string[] = []
  for (const ffi of wanted === 'auto' ? ffiNames : [wanted]) {
    try {
      return { ffi, native: open[ffi](), passedOver }
    } catch (error) {
      passedOver.push(`${ffi}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  throw new Error(`libvirt cannot be reached by FFI; ${passedOver.join('; ')}`)
}
