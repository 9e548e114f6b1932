/** A cpio archive in the "newc" form that the kernel unpacks as its initramfs (kernel Documentation/driver-api/early-userspace). Pure. */

export interface CpioEntry {
  /** Without a leading slash; parents must come first. */
  path: string
  /** Permission bits, octal. */
  mode: number
  content:
    | { kind: 'folder' }
    | { kind: 'file'; bytes: Uint8Array }
    | { kind: 'link'; to: string }
    | { kind: 'device'; major: number; minor: number }
}

const TYPE = { folder: 0o040000, file: 0o100000, link: 0o120000, device: 0o020000 } as const
const FIRST_INODE = 721

/** All owned by root, all times 0: the same entries give the same bytes. Devices are character devices. */
export function cpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts = entries.flatMap((entry, index) => record(entry, FIRST_INODE + index))
  return Buffer.concat([
    ...parts,
    ...record({ path: 'TRAILER!!!', mode: 0, content: { kind: 'file', bytes: new Uint8Array() } }, 0),
  ])
}

function record(entry: CpioEntry, inode: number): Buffer[] {
  const { content } = entry
  const body = content.kind === 'file' ? Buffer.from(content.bytes) : Buffer.from(content.kind === 'link' ? content.to : '')
  const name = Buffer.from(`${entry.path}\0`)
  const mode = inode === 0 ? 0 : TYPE[content.kind] | entry.mode
  const [major, minor] = content.kind === 'device' ? [content.major, content.minor] : [0, 0]
  // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode, mode, 0, 0, content.kind === 'folder' ? 2 : 1, 0, body.length, 0, 0, major, minor, name.length, 0]
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).toUpperCase().padStart(8, '0')).join('')}`)
  return [padded(Buffer.concat([header, name])), padded(body)]
}

const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
