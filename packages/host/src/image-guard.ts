/**
 * May qemu open this image from outside? A qcow2 can name any file or URL of the host as its backing or data file, and a
 * file that is declared raw but begins like another format is opened as that by whoever probes. So we read the first bytes
 * ourselves and decide here, before any qemu program sees the file. Pure. Facts: qemu docs/interop/qcow2.txt, block/*.c
 * (7.2); the limits are qemu's own, so that what passes here can't be refused later for its shape.
 */
import { backingFile, checkHeader, isQcow2 } from './qcow2-header.ts'

/** How many leading bytes the guard wants; all of a shorter file. Covers an ISO's descriptor and a qcow2's header cluster. */
export const GUARD_BYTES = 2 * 1024 * 1024

export interface GuardInput {
  /** The first GUARD_BYTES of the file, or all of it. */
  head: Uint8Array
  fileSizeBytes: number
  declared: 'qcow2' | 'raw' | 'iso'
  /** Larger virtual disks are refused; default 64 TiB. */
  maxVirtualSizeBytes?: number
}

export type GuardVerdict = { ok: true; format: 'qcow2' | 'raw' | 'iso'; virtualSizeBytes: number } | { ok: false; reason: string }

const TIB = 1024 ** 4

/** Decides; never throws, whatever the bytes. */
export function guardImage(input: GuardInput): GuardVerdict {
  const maxSize = input.maxVirtualSizeBytes ?? 64 * TIB
  if (input.fileSizeBytes === 0) return refuse('the file is empty')
  if (input.head.length < Math.min(input.fileSizeBytes, GUARD_BYTES)) return refuse('the beginning of the file could not be read')
  if (input.declared === 'qcow2') return guardQcow2(input, maxSize)
  const foreign = foreignFormat(input.head)
  if (foreign) return refuse(`declared as ${input.declared}, but it begins like ${foreign}`)
  if (input.declared === 'iso' && !isIso(input.head)) return refuse('declared as iso, but it holds no ISO 9660 descriptor')
  if (input.fileSizeBytes > maxSize) return refuse(`it is larger than ${maxSize} bytes`)
  // qemu counts disks in sectors
  return { ok: true, format: input.declared, virtualSizeBytes: Math.ceil(input.fileSizeBytes / 512) * 512 }
}

/** What the bytes look like, for a person who named the wrong format; null: nothing known, so raw. */
export function recognise(head: Uint8Array): string | null {
  return foreignFormat(head) ?? (isIso(head) ? 'iso' : null)
}

function guardQcow2(input: GuardInput, maxSize: number): GuardVerdict {
  const { head, fileSizeBytes } = input
  if (!isQcow2(head)) return refuse(`declared as qcow2, but it is ${recognise(head) ?? 'none'}`)
  const name = backingFile(head)
  if (name !== null) return refuse(`it names a backing file (${name})`)
  const header = checkHeader(head, fileSizeBytes)
  if ('problem' in header) return refuse(header.problem)
  if (header.virtualSizeBytes > maxSize) return refuse(`its virtual size is larger than ${maxSize} bytes`)
  return { ok: true, format: 'qcow2', virtualSizeBytes: header.virtualSizeBytes }
}

const refuse = (reason: string): GuardVerdict => ({ ok: false, reason })

const ascii = (text: string) => [...text].map((letter) => letter.charCodeAt(0))
const MAGICS: readonly { format: string; at: number; bytes: readonly number[] }[] = [
  { format: 'qcow2', at: 0, bytes: [0x51, 0x46, 0x49, 0xfb] },
  { format: 'QED', at: 0, bytes: ascii('QED\0') },
  { format: 'VMDK', at: 0, bytes: ascii('KDMV') },
  { format: 'VMDK', at: 0, bytes: ascii('COWD') },
  { format: 'VHD', at: 0, bytes: ascii('conectix') },
  { format: 'VHDX', at: 0, bytes: ascii('vhdxfile') },
  { format: 'VDI', at: 0x40, bytes: [0x7f, 0x10, 0xda, 0xbe] },
  { format: 'Parallels', at: 0, bytes: ascii('WithoutFreeSpace') },
  { format: 'Parallels', at: 0, bytes: ascii('WithouFreSpacExt') },
  { format: 'Bochs', at: 0, bytes: ascii('Bochs Virtual HD Image') },
  { format: 'cloop', at: 0, bytes: ascii('#!/bin/sh\n#V2.0 Format\nmodprobe cloop') },
]

function foreignFormat(head: Uint8Array): string | null {
  const magic = MAGICS.find(({ at, bytes }) => bytes.every((byte, i) => head[at + i] === byte))
  return magic?.format ?? (isVmdkDescriptor(head) ? 'VMDK' : null)
}

/** qemu's vmdk_probe: any lines of comment or blanks, then `version=1|2|3`. The usual first line alone is enough for us. */
function isVmdkDescriptor(head: Uint8Array): boolean {
  const text = String.fromCharCode(...head.subarray(0, 4096))
  if (/^# Disk DescriptorFile/i.test(text)) return true
  return /^(?:(?:#[^\n]*|[ \t\r]*)\n)*version=[123]\s/.test(text)
}

/** A volume descriptor of ISO 9660 stands in sector 16: a type byte, then `CD001`. */
function isIso(head: Uint8Array): boolean {
  return ascii('CD001').every((byte, i) => head[32_769 + i] === byte)
}
