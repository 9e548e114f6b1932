/** A failure inside the fake, as libvirt would put it. */
import type { LibvirtFailure } from '../port.ts'

/** VIR_FROM_DOMAIN (virErrorDomain), as libvirt's own domain code reports. */
const FROM_DOMAIN = 20

export class FakeFailure extends Error {
  readonly failure: LibvirtFailure
  constructor(libvirtCode: number, message: string, libvirtDomain = FROM_DOMAIN) {
    super(message)
    this.failure = { libvirtCode, libvirtDomain, message }
  }
}
