/** Options of agent-kvm beside those of every agent: arguments, else environment. */
import { parseArgs } from 'node:util'
import { path, SkerryError } from '@skerry/contract'
import { type FfiName, ffiNames, type ProbePayload } from '@skerry/libvirt'
import { z } from 'zod'

const options = z.object({
  libvirtUri: z.string().regex(/^[a-z]+(\+[a-z]+)?:\/\/\S*$/, 'must be a libvirt URI such as qemu:///system'),
  libvirtFfi: z.enum(['auto', ...ffiNames]),
  domainType: z.enum(['probe', 'kvm', 'qemu']),
  probeKernel: path.optional(),
  probeInitrd: path.optional(),
  probeAppend: z.string().max(1024).optional(),
  probeMarker: z.string().min(1).max(200).optional(),
})
export interface KvmOptions {
  libvirtUri: string
  /** The FFI library through which libvirt is reached; `auto`: the first that loads. */
  libvirtFfi: FfiName | 'auto'
  domainType: 'probe' | 'kvm' | 'qemu'
  payload: ProbePayload | undefined
}

const OWN = {
  'libvirt-uri': { type: 'string' },
  'libvirt-ffi': { type: 'string' },
  'domain-type': { type: 'string' },
  'probe-kernel': { type: 'string' },
  'probe-initrd': { type: 'string' },
  'probe-append': { type: 'string' },
  'probe-marker': { type: 'string' },
} as const

/** Takes its own arguments out of `argv`; `rest` is for the shared settings. Throws `invalid-argument` naming what is wrong. */
export function readKvmOptions(
  argv: readonly string[],
  env: Record<string, string | undefined>,
): { options: KvmOptions; rest: string[] } {
  const { own, rest } = split(argv)
  const values = parseArgs({ args: own, options: OWN, strict: true }).values
  const given = {
    libvirtUri: values['libvirt-uri'] ?? env['SKERRY_LIBVIRT_URI'] ?? 'qemu:///system',
    libvirtFfi: values['libvirt-ffi'] ?? env['SKERRY_LIBVIRT_FFI'] ?? 'auto',
    domainType: values['domain-type'] ?? env['SKERRY_DOMAIN_TYPE'] ?? 'probe',
    probeKernel: values['probe-kernel'] ?? env['SKERRY_PROBE_KERNEL'],
    probeInitrd: values['probe-initrd'] ?? env['SKERRY_PROBE_INITRD'],
    probeAppend: values['probe-append'] ?? env['SKERRY_PROBE_APPEND'],
    probeMarker: values['probe-marker'] ?? env['SKERRY_PROBE_MARKER'],
  }
  const parsed = options.safeParse(given)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    throw new SkerryError('invalid-argument', `options of agent-kvm are not valid: ${problems.join('; ')}`, { problems })
  }
  const {
    libvirtUri,
    libvirtFfi,
    domainType,
    probeKernel: kernel,
    probeMarker: marker,
    probeInitrd: initrd,
    probeAppend: commandLine,
  } = parsed.data
  if ((kernel === undefined) !== (marker === undefined)) {
    throw new SkerryError('invalid-argument', 'options of agent-kvm are not valid: --probe-kernel and --probe-marker go together')
  }
  const payload =
    kernel !== undefined && marker !== undefined
      ? { kernel, marker, ...(initrd ? { initrd } : {}), ...(commandLine ? { commandLine } : {}) }
      : undefined
  return { options: { libvirtUri, libvirtFfi, domainType, payload }, rest }
}

/** `--name value` and `--name=value` of our own, and everything else. */
function split(argv: readonly string[]): { own: string[]; rest: string[] } {
  const own: string[] = []
  const rest: string[] = []
  for (let at = 0; at < argv.length; at++) {
    const arg = argv[at] as string
    const name = arg.replace(/^--/, '').replace(/=.*$/s, '')
    const isOwn = arg.startsWith('--') && Object.hasOwn(OWN, name)
    const target = isOwn ? own : rest
    target.push(arg)
    if (isOwn && !arg.includes('=') && at + 1 < argv.length) target.push(argv[++at] as string)
  }
  return { own, rest }
}
