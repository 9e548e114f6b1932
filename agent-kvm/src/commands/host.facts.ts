/** `do.host.<hostUuid>.facts`: what this host is. The machine is asked once; libvirt each time, because it may be upgraded. */
import { defineCommand } from '@skerry/agent'
import { kvmCommands } from '@skerry/contract'
import type { Host, MachineFacts } from '@skerry/host'
import type { Libvirt } from '@skerry/libvirt'

const TIMEOUT_MS = 10_000

export interface FactsPorts {
  host: Host
  libvirt: Libvirt
  domainType: 'kvm' | 'qemu'
}

export function hostFacts({ host, libvirt, domainType }: FactsPorts) {
  const machine = once(async () => ({ ...(await host.facts.machine()), release: await releaseName(host) }))
  // Asking the machine takes seconds: it is done before somebody waits. Whoever asks gets the error, if there is one.
  machine().catch(() => undefined)
  return defineCommand({
    noun: 'host',
    verb: 'facts',
    reads: true,
    ...kvmCommands.facts,
    async run() {
      const [known, info, bootId, addresses] = await Promise.all([
        machine(),
        libvirt.call('hostInfo', {}, { timeoutMs: TIMEOUT_MS }),
        host.facts.bootId(),
        host.ip.at().addresses.list(),
      ])
      return {
        cpuNum: known.cpuCount,
        cpuSockets: known.cpuSockets,
        cpuModel: known.cpuModel,
        architecture: known.architecture,
        totalMemory: known.memoryBytes,
        hostname: known.hostname,
        osDistribution: known.osName,
        osRelease: known.release ?? known.kernel,
        osVersion: known.osVersion,
        libvirtVersion: info.libvirtVersion,
        qemuVersion: info.hypervisorVersion,
        domainType,
        bootId,
        addresses: addresses
          .filter(({ dev, cidr, scope }) => scope === 'global' && !cidr.includes(':') && !dev.startsWith('sk'))
          .map(({ dev, cidr }) => ({ dev, cidr })),
      }
    },
  })
}

/** The first success is kept; a failure is not. */
function once<T extends MachineFacts>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined
  return () => {
    asked ??= ask().catch((error) => {
      asked = undefined
      throw error
    })
    return asked
  }
}

/** The release's own name (`bookworm`), as ZStack shows it. os-release(5), VERSION_CODENAME. */
async function releaseName(host: Host): Promise<string | undefined> {
  const text = await host.files.read('/etc/os-release')
  return text?.match(/^VERSION_CODENAME="?([^"\n]+)"?$/m)?.[1]
}
