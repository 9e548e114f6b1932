/** `scripts/lab`: a command in a QEMU guest with Debian's full kernel, over this machine's own file tree. */
import { cp, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type LabDisk, type LabOptions, SHARE, startLab } from '../../../packages/testkit/src/index.ts'

const USAGE = `Usage: scripts/lab [OPTIONS] COMMAND [ARGUMENT…]
Runs the command in a QEMU guest with Debian's full kernel (VLAN, ESP, bridge conntrack, device mapper, NFS, IPVS as modules) over
this machine's file tree: what it writes stays in the guest's memory, but for ${SHARE}/out, which is the folder
named with --out. Needs neither root nor KVM. Booting takes some 7 s; everything inside is 10 to 50 times slower.
Gives the command's output and exit code. A lab that hangs is killed at the time limit, with the last lines of its console.

  --disk FILE[:FORMAT[:CACHE]]  /dev/vda, /dev/vdb, …; FORMAT raw (default) or qcow2; CACHE writeback (default), none,
                                writethrough, directsync or unsafe, as QEMU's -drive has it
  --memory MIB (2048)   --cpus N (2)   --timeout SECONDS (600)
  --clock TIME          what the hardware clock says at boot, such as 1970-01-01T00:00:00Z
  --network             the guest reaches this machine at 10.0.2.2
  --forward HERE:THERE  a loopback port here → a port of loopback there; more than one may be given; implies --network
  --out DIR             gets what the command wrote to ${SHARE}/out
  --help
`

const CACHES = ['writeback', 'none', 'writethrough', 'directsync', 'unsafe'] as const

/** Throws what is to be said. */
function diskOf(text: string): LabDisk {
  const [path = '', format = 'raw', cache = 'writeback'] = text.split(':')
  const found = CACHES.find((known) => known === cache)
  if (path === '' || !(format === 'raw' || format === 'qcow2') || !found)
    throw new Error(`--disk ${text}: give FILE[:raw|qcow2[:${CACHES.join('|')}]]`)
  return { path, format, cache: found }
}

function forwardOf(text: string): { here: number; there: number } {
  const [here, there] = text.split(':').map(Number)
  if (!isPort(here) || !isPort(there)) throw new Error(`--forward ${text}: give two ports, as in 8080:80`)
  return { here, there }
}

const isPort = (port: number | undefined): port is number => Number.isInteger(port) && port! > 0 && port! < 65_536

function numberOf(name: string, text: string, least: number): number {
  const value = Number(text)
  if (!(Number.isInteger(value) && value >= least)) throw new Error(`--${name} ${text}: give a whole number, at least ${least}`)
  return value
}

function clockOf(text: string): Date {
  const at = new Date(text)
  if (Number.isNaN(at.getTime())) throw new Error(`--clock ${text}: give a time such as 1970-01-01T00:00:00Z`)
  return at
}

/** What stands before the command is ours; everything after it is the command's. */
function read(argv: readonly string[]) {
  const options = {
    disk: { type: 'string', multiple: true },
    memory: { type: 'string', default: '2048' },
    cpus: { type: 'string', default: '2' },
    timeout: { type: 'string', default: '600' },
    clock: { type: 'string' },
    network: { type: 'boolean' },
    forward: { type: 'string', multiple: true },
    out: { type: 'string' },
    help: { type: 'boolean' },
  } as const
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true })
  const first = tokens.find((token) => token.kind === 'positional')
  const end = tokens.find((token) => token.kind === 'option-terminator')
  const at = Math.min(first?.index ?? argv.length, end?.index ?? argv.length)
  const { values } = parseArgs({ args: argv.slice(0, at), options, strict: true })
  return { values, command: argv.slice(argv[at] === '--' ? at + 1 : at) }
}

async function main(argv: readonly string[]): Promise<number> {
  const { values, command } = read(argv)
  if (values.help || command.length === 0) {
    process.stdout.write(USAGE)
    return values.help ? 0 : 2
  }
  const forwards = (values.forward ?? []).map(forwardOf)
  const options: LabOptions = {
    disks: (values.disk ?? []).map(diskOf),
    memoryMib: numberOf('memory', values.memory, 256),
    cpus: numberOf('cpus', values.cpus, 1),
    ...(values.clock ? { clock: clockOf(values.clock) } : {}),
    ...(values.network || forwards.length > 0 ? { network: { forwards } } : {}),
  }
  const timeoutMs = numberOf('timeout', values.timeout, 1) * 1000
  const lab = await startLab(options)
  await mkdir(join(lab.share, 'out'))
  const endLab = () => void lab.dispose().then(() => process.exit(130))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, endLab)
  try {
    const { code } = await lab.run(command, {
      timeoutMs,
      cwd: process.cwd(),
      onOutput: (text, stream) => void process[stream].write(text),
    })
    if (values.out) await cp(join(lab.share, 'out'), values.out, { recursive: true })
    await lab.off()
    return code
  } finally {
    await lab.dispose()
  }
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`failed: ${(error as Error).message}\n`)
  process.exitCode = 1
}
