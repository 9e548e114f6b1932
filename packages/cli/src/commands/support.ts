/**
 * `skerry support [file]`: one archive to send when something is wrong. It holds what is named in `support/allowed.ts`, is
 * searched for secrets before it is written, and is made without a controller too: then it says what is missing.
 */
import { PREFIX, type Row, routes, SKERRY_VERSION, SkerryError } from '@skerry/contract'
import { diagnose } from '../doctor/checks.ts'
import { failureText } from '../failure.ts'
import type { Io } from '../io.ts'
import { humanBytes, table } from '../output.ts'
import { clientFor, contextOf, type Globals } from '../session.ts'
import { listing, logsIn, secretsHere, setUp } from '../support/machine.ts'
import { findSecret } from '../support/scan.ts'
import { siteParts } from '../support/site.ts'

export interface SupportOptions extends Globals {
  stateDir?: string
}

interface Part {
  name: string
  text: string
}

interface Missing {
  name: string
  why: string
}

const asText = (value: unknown) => (typeof value === 'string' ? value : `${JSON.stringify(value, null, 2)}\n`)

export async function support(io: Io, file: string | undefined, o: SupportOptions): Promise<void> {
  const machine = await io.machine!()
  const stateDir = o.stateDir ?? io.env['SKERRY_STATE_DIR'] ?? '/var/lib/skerry'
  const parts: Part[] = []
  const missing: Missing[] = []
  const take = async (name: string, make: () => Promise<unknown>): Promise<boolean> => {
    try {
      const value = await make()
      if (value === undefined) missing.push({ name, why: `there is nothing of it below ${stateDir}` })
      else parts.push({ name, text: asText(value) })
    } catch (error) {
      missing.push({
        name,
        why: failureText('cannot be had', error)
          .replace(/^error: /, '')
          .replaceAll('\n', ';'),
      })
      return !(error instanceof Error && error.name === 'UnreachableError')
    }
    return true
  }
  await take('versions.json', async () => ({
    cli: SKERRY_VERSION,
    node: process.version,
    platform: process.platform,
    arch: process.arch,
  }))
  await take('doctor.json', async () => diagnose(await io.doctor()))
  await take('setup.json', () => setUp(machine.files, stateDir))
  await take('files.txt', () => listing(machine.files, stateDir))
  await takeSite(io, o, { take, missing })
  await takeLogs(stateDir, machine.files, { parts, missing })
  parts.push({ name: 'missing.json', text: asText(missing) })
  await refuseSecrets(io, o, { parts, stateDir, files: machine.files })
  const at = new Date(machine.now()).toISOString().replace(/[:.]/g, '-')
  const path = file ?? `skerry-support-${at}.tar.gz`
  const { packed } = await import('../support/archive.ts')
  const bytes = await packed(`skerry-support-${at}`, parts, machine.now())
  await machine.files.write(machine.absolute(path), bytes, 0o600)
  show(io, { parts, missing, path, bytes: bytes.length })
}

type Take = (name: string, make: () => Promise<unknown>) => Promise<boolean>

/** Asks the controller; once it can't be reached it is not asked again. */
async function takeSite(io: Io, o: SupportOptions, { take, missing }: { take: Take; missing: Missing[] }): Promise<void> {
  const { context } = await contextOf(io, o)
  const client = await clientFor(io, context)
  const metrics = async () => {
    const ca = context.ca ? await io.readFile(context.ca) : undefined
    const { fetchTrusting } = await import('@skerry/sdk')
    const ask = io.fetch ?? (ca ? fetchTrusting(ca) : fetch)
    return (await ask(new Request(context.url + routes.metrics))).text()
  }
  let reachable = true
  for (const [name, make] of Object.entries(siteParts(client, metrics))) {
    if (reachable) reachable = await take(name, make)
    else missing.push({ name, why: `the controller at ${context.url}${PREFIX.own} cannot be reached` })
  }
}

async function takeLogs(
  stateDir: string,
  files: Parameters<typeof logsIn>[0],
  { parts, missing }: { parts: Part[]; missing: Missing[] },
): Promise<void> {
  try {
    const logs = await logsIn(files, stateDir)
    if (!logs) missing.push({ name: 'logs', why: `there is no folder ${stateDir}/logs` })
    for (const { name, text } of logs ?? []) parts.push({ name: `logs/${name}`, text })
  } catch (error) {
    missing.push({ name: 'logs', why: error instanceof Error ? error.message : String(error) })
  }
}

/** Nothing is written when a part holds what must not leave this machine: that is a defect, and says where. */
async function refuseSecrets(
  io: Io,
  o: SupportOptions,
  { parts, stateDir, files }: { parts: Part[]; stateDir: string; files: Parameters<typeof secretsHere>[0] },
): Promise<void> {
  const known = await secretsHere(files, stateDir)
  const { context } = await contextOf(io, o)
  for (const [value, what] of [
    [context.session, 'a session'],
    [io.env['SKERRY_PASSWORD'], 'SKERRY_PASSWORD'],
  ] as const)
    if (value && value.length >= 8 && value !== 'password') known.set(value, what)
  const found = findSecret(parts, known)
  if (!found) return
  throw new SkerryError('internal', `${found.part} would hold ${found.what}: nothing was written`, { ...found } satisfies Row)
}

function show(io: Io, o: { parts: readonly Part[]; missing: readonly Missing[]; path: string; bytes: number }): void {
  const rows = o.parts.map(({ name, text }) => ({ part: name, size: humanBytes(Buffer.byteLength(text)), note: '' }))
  const absent = o.missing.map(({ name, why }) => ({ part: name, size: 'missing', note: why }))
  io.out(table(['part', 'size', 'note'], [...rows, ...absent]))
  io.out(`written: ${o.path} (${humanBytes(o.bytes)})`)
  io.err('It holds names, addresses and logs of this site, and no secrets. Look before you send it: tar xzOf shows all of it.\n')
}
