/** libvirt's failures as errors of the contract. */
import { SkerryError } from '@skerry/contract'
import { libvirtCodes, ownFailure } from './failure-data.ts'
import type { LibvirtFailure, Operation } from './port.ts'

/** The error that a caller of the port sees. `details.message` is libvirt's own sentence. */
export function libvirtError(op: Operation, args: unknown, failure: LibvirtFailure): SkerryError {
  const uuid = typeof args === 'object' && args !== null && 'uuid' in args ? { domainUuid: args.uuid } : {}
  const code = failure.libvirtCode === libvirtCodes.noDomain ? 'not-found' : 'hypervisor-failed'
  return new SkerryError(code, `libvirt ${op}: ${failure.message}`, { op, ...uuid, ...failure })
}

export function deadlineError(op: Operation, timeoutMs: number): SkerryError {
  return new SkerryError('deadline-exceeded', `libvirt ${op} did not end within ${timeoutMs} ms`, { op, timeoutMs })
}

export function disconnectedError(op: Operation, reason: string): SkerryError {
  const message = `libvirt ${op}: not connected to libvirt`
  return new SkerryError('hypervisor-failed', message, { op, ...ownFailure(reason) })
}
