import { existsSync, readdirSync } from 'node:fs'
import { requireOrSkip } from '@skerry/testkit'

/** Whether libvirt's client library is on this machine; says so aloud if not. */
export function libvirtInstalled(): boolean {
  const folders = ['/usr/lib', '/usr/lib64', ...readdirSync('/usr/lib').map((folder) => `/usr/lib/${folder}`)]
  const found = folders.some((folder) => existsSync(`${folder}/libvirt.so.0`))
  return requireOrSkip('libvirt through FFI', { present: { 'libvirt.so.0 (Debian package libvirt0)': found } })
}
