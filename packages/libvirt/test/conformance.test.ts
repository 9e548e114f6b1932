import { describe } from 'vitest'
import { fakeLibvirt, ffiNames, superviseLibvirt } from '../src/index.ts'
import { conformance } from './conformance.ts'
import { libvirtInstalled } from './libvirt-installed.ts'

conformance('the fake', { open: () => fakeLibvirt(), type: 'test' })

describe.skipIf(!libvirtInstalled())('over FFI in the backend process', () => {
  for (const ffi of ffiNames) {
    conformance(`libvirt's test driver through ${ffi}`, {
      open: () => superviseLibvirt({ uri: 'test:///default', ffi }),
      type: 'test',
    })
  }
})
