/** A machine that is switched off: its files, and what libvirt keeps below /etc. What ran does not run any more. */
import { path } from '@skerry/contract'
import type { FakeHost } from '@skerry/host'
import type { FakeLibvirt } from '@skerry/libvirt'
import { z } from 'zod'

const DEFINE_MS = 5_000

export const savedMachine = z.object({
  v: z.literal(1),
  /** how often it was booted: each boot has another id */
  boots: z.number().int().min(0),
  folders: z.array(z.object({ path, mode: z.number() })),
  /** Sparse: `sizeBytes` may be more than the bytes that are there. */
  files: z.array(z.object({ path, data: z.base64(), sizeBytes: z.number(), mode: z.number(), modifiedMs: z.number() })),
  /** definitions of guests, as XML */
  domains: z.array(z.string()),
})
export type SavedMachine = z.infer<typeof savedMachine>

interface Fakes {
  host: FakeHost
  libvirt: FakeLibvirt
}

/** /run and /tmp are memory on a real machine, and empty after a boot. */
const isKept = (path: string) => !path.startsWith('/run/') && !path.startsWith('/tmp/')

export function saved({ host: { disk }, libvirt }: Fakes, boots: number): SavedMachine {
  return {
    v: 1,
    boots,
    folders: [...disk.folders].filter(([path]) => isKept(path)).map(([path, mode]) => ({ path, mode })),
    files: [...disk.files]
      .filter(([path]) => isKept(path))
      .map(([path, { data, ...file }]) => ({ path, data: Buffer.from(data).toString('base64'), ...file })),
    domains: libvirt
      .inventory()
      .filter(({ persistent }) => persistent)
      .map(({ xml }) => xml),
  }
}

/** Into a machine that nothing runs on yet. */
export async function restore({ host, libvirt }: Fakes, { boots, folders, files, domains }: SavedMachine): Promise<void> {
  for (let boot = 0; boot < boots; boot += 1) host.reboot()
  for (const { path, mode } of folders) host.disk.folders.set(path, mode)
  for (const { path, data, ...file } of files) host.disk.files.set(path, { data: Buffer.from(data, 'base64'), ...file })
  for (const xml of domains) await libvirt.call('domainDefineXml', { xml }, { timeoutMs: DEFINE_MS })
}
