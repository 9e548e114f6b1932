/** libvirt's error codes and failures as data; free of the contract so that the backend process loads quickly. Source: libvirt 9.0 virterror.h. */
import type { LibvirtFailure } from './port.ts'

export const libvirtCodes = {
  internalError: 1,
  noSupport: 3,
  operationFailed: 9,
  noName: 21,
  xmlError: 27,
  xmlDetail: 35,
  systemError: 38,
  noDomain: 42,
  operationInvalid: 55,
  noDomainMetadata: 80,
  operationUnsupported: 84,
  deviceMissing: 99,
} as const

/** A failure of our own side carries libvirt code 0. */
export const ownFailure = (message: string): LibvirtFailure => ({ libvirtCode: 0, libvirtDomain: 0, message })
