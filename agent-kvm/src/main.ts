/** agent-kvm: wiring only. */
import { fileURLToPath } from 'node:url'
import { type BuildContext, startAgent } from '@skerry/agent'
import type { Host } from '@skerry/host'
import { probeKvm, spawnProbe, superviseLibvirt } from '@skerry/libvirt'
import { probeDomainType } from './domain-type.ts'
import { kvmAgent } from './kvm.ts'
import { type KvmOptions, readKvmOptions } from './options.ts'

const NS_PER_MS = 1_000_000n
/** CLOCK_MONOTONIC: the same for every process of this boot. */
const monotonicMs = () => Number(process.hrtime.bigint() / NS_PER_MS)

/** In a bundle the backend of libvirt lies beside this file, built too. */
const childPath = import.meta.url.endsWith('.js') ? fileURLToPath(new URL('./child.js', import.meta.url)) : undefined

async function build(host: Host, context: BuildContext, { libvirtUri, libvirtFfi, domainType, payload }: KvmOptions) {
  const { identity, log, stateDir } = context
  const probe = {
    host,
    bootId: identity.bootId,
    stateDir,
    payload,
    probe: (of: Parameters<typeof probeKvm>[0]['payload']) => probeKvm({ exec: spawnProbe, payload: of }),
  }
  const chosen = domainType === 'probe' ? await probeDomainType(probe) : { domainType, reason: 'it was given' }
  log.info({ ...chosen }, chosen.domainType === 'kvm' ? 'guests run on KVM' : 'guests run on TCG, which is slow')
  const env = { PATH: process.env['PATH'] ?? '' }
  const libvirt = superviseLibvirt({
    uri: libvirtUri,
    ffi: libvirtFfi,
    childPath,
    env,
    log: (text) => log.warn({ libvirt: text.trim() }, 'libvirt backend'),
  })
  return kvmAgent({
    ...context,
    host,
    libvirt,
    monotonicMs,
    domainType: chosen.domainType,
    agentUuid: identity.uuid,
    bootId: identity.bootId,
  })
}

let given: ReturnType<typeof readKvmOptions>
try {
  given = readKvmOptions(process.argv.slice(2), process.env)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
// The shared settings are strict about arguments that they don't know.
process.argv = [...process.argv.slice(0, 2), ...given.rest]
await startAgent({ kind: 'kvm', build: (host, context) => build(host, context, given.options) })
