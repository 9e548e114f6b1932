/**
 * Images without bytes: what any URL holds is made up when it is asked for, true to its format and always the same, so that the
 * real download, guard and cache of agent-storage run on it. It is small, because every host that uses it holds a copy in memory;
 * the size that a guest sees is that of an ordinary image.
 */
import { createHash } from 'node:crypto'
import type { AgentCommand } from '@skerry/agent'
import type { FakeSftp } from '@skerry/agent-storage'
import type { storageCommands } from '@skerry/contract'
import { type FakeDisk, type FakeHost, fakeHost, type Host } from '@skerry/host'
import type { z } from 'zod'

type DownloadInput = z.infer<typeof storageCommands.download.input>
type Format = DownloadInput['format']

const MIB = 1024 ** 2
const RAW_BYTES = 4 * MIB
/** Sector 16 of an ISO holds its descriptor. */
const ISO_DESCRIPTOR_AT = 32_768

const digest = (url: string) => createHash('sha256').update(url).digest()

/** 2 to 5.5 GiB, by the URL. */
const guestBytes = (url: string) => 2048 * MIB + (digest(url)[0]! % 8) * 512 * MIB

export async function madeUpImage(url: string, format: Format): Promise<Uint8Array> {
  const bytes = format === 'qcow2' ? await qcow2(guestBytes(url)) : new Uint8Array(RAW_BYTES)
  if (format === 'iso') bytes.set([1, ...new TextEncoder().encode('CD001')], ISO_DESCRIPTOR_AT)
  // another URL, another content: stores name images by it
  bytes.set(digest(url), bytes.length - 32)
  return bytes
}

async function qcow2(sizeBytes: number): Promise<Uint8Array> {
  const { qemuImg, disk } = fakeHost()
  await qemuImg.create({ path: '/tmp/image', format: 'qcow2', sizeBytes })
  const file = disk.files.get('/tmp/image')!
  const bytes = new Uint8Array(file.sizeBytes)
  bytes.set(file.data)
  return bytes
}

async function putMadeUp(disk: FakeDisk, { url, format }: { url: string; format: Format }): Promise<void> {
  const path = decodeURIComponent(new URL(url).pathname)
  if (disk.files.has(path) || disk.folders.has(path)) return
  disk.makeDir(path.slice(0, path.lastIndexOf('/')) || '/', 0o755)
  disk.put(path, await madeUpImage(url, format))
}

/** The sources of one machine: its agent's download command, and the `fetch` that it uses. */
export class ImageSources {
  /** by URL: what is being asked for just now, whose format only the command knows */
  readonly #asked = new Map<string, Format>()

  readonly fetch: typeof fetch = async (input, init) => {
    init?.signal?.throwIfAborted()
    const url = input instanceof Request ? input.url : String(input)
    const bytes = await madeUpImage(url, this.#asked.get(url) ?? 'qcow2')
    return new Response(Buffer.from(bytes), { headers: { 'content-length': String(bytes.length) } })
  }

  /** The same command, which finds something at every URL; what a person put there is left as it is. */
  wrap(command: AgentCommand, { disk }: FakeHost, servers: FakeSftp): AgentCommand {
    if (command.noun !== 'image' || command.verb !== 'download') return command
    return {
      ...command,
      run: async (context) => {
        const { url, format, backupStorageUuid } = context.input as DownloadInput
        // A file is one of the server where the command names one; it doesn't say which of them.
        const there = backupStorageUuid === undefined ? [disk] : [...servers.servers.values()].map((server) => server.disk)
        if (url.startsWith('file:')) for (const one of there) await putMadeUp(one, { url, format })
        this.#asked.set(url, format)
        try {
          return await command.run(context)
        } finally {
          this.#asked.delete(url)
        }
      },
    }
  }
}

const IN_STORE = /\/images\/[0-9a-f]{64}\.(qcow2|raw|iso)$/

/**
 * Files of a machine that also sees what other machines' image stores hold, as if all had mounted the same disk. Content is named by
 * its hash, so any copy is the right one.
 */
export function withStoresOf(files: Host['files'], others: (path: string) => Host['files'] | undefined): Host['files'] {
  const elsewhere = (path: string) => (IN_STORE.test(path) ? others(path) : undefined)
  return {
    ...files,
    stat: async (path) => (await files.stat(path)) ?? elsewhere(path)?.stat(path),
    readAt: async (path, offset, length) =>
      (await files.readAt(path, offset, length)) ?? elsewhere(path)?.readAt(path, offset, length),
  }
}
