import { describe } from 'vitest'
import { fakeLibvirt, superviseLibvirt } from '../src/index.ts'
import { conformance } from './conformance.ts'
import { libvirtInstalled } from './libvirt-installed.ts'

conformance('the fake', { open: () => fakeLibvirt(), type: 'test' })

describe.skipIf(!libvirtInstalled())('over FFI in the backend process', () => {
  conformance("libvirt's test driver", { open: () => superviseLibvirt({ uri: 'test:///default' }), type: 'test' })
})
