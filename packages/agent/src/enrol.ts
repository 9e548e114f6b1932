/**
 * Trading a one-time token for credentials. The keys are made here and their secret halves never leave this machine; they are
 * on the disk before the controller hears of them, so that a repeat after a crash offers the same keys.
 */
import { createUserKeys } from '@skerry/bus'
import {
  type AgentKind,
  agentKind,
  type ErrorBody,
  errors,
  fromErrorBody,
  PREFIX,
  SKERRY_VERSION,
  SkerryError,
  uuid,
} from '@skerry/contract'
import { Low } from 'lowdb'
import { z } from 'zod'
import { CheckedFile, type LedgerFiles } from './ledger/checked-file.ts'
import { createSealKeys } from './seal.ts'

/** The controller leaves out what is null, as in every reply. */
const granted = z.object({ uuid, jwt: z.string(), servers: z.array(z.string()).min(1), ca: z.string().nullable().default(null) })
/** [format] `<stateDir>/identity.json`, 0600. Secret. */
const identityFile = z.object({
  v: z.literal(1),
  kind: agentKind,
  /** NKey pair of the NATS user. */
  publicKey: z.string(),
  seed: z.string(),
  sealPublicKey: z.string(),
  sealPrivateKey: z.string(),
  /** Null: the controller has not answered yet. */
  granted: granted.nullable(),
  /** The key rotation that brought `publicKey`; null: the enrolment did. */
  rotation: uuid.nullable().default(null),
  /** A key that a rotation will bring; not granted anything yet. */
  next: z.object({ rotation: uuid, publicKey: z.string(), seed: z.string() }).nullable().default(null),
})
type IdentityFile = z.infer<typeof identityFile>

/** Who this agent is on the bus. Secret: `seed`, `sealPrivateKey`. */
export type Identity = Omit<IdentityFile, 'v' | 'granted' | 'next'> & z.infer<typeof granted>

/** The part of `fetch` that enrolment needs. */
export type PostJson = (
  url: string,
  init: { method: 'POST'; headers: Record<string, string>; body: string; signal: AbortSignal },
) => Promise<{ status: number; text(): Promise<string> }>

export interface EnrolOptions {
  /** `http://host:port` or `https://…`, without a path. */
  controllerUrl: string
  token: string
  kind: AgentKind
  /** 32 lower-case hex. */
  machineId: string
  /** The address by which the controller knows this host. */
  managementIp: string
  stateDir: string
  files: LedgerFiles
  fetch: PostJson
  version?: string
}

const TIMEOUT_MS = 15_000

export const fileOf = (files: LedgerFiles, stateDir: string) => new CheckedFile(files, `${stateDir}/identity.json`, identityFile)

/** Undefined: not enrolled yet. Throws when the file of another kind of agent stands there. */
export async function loadIdentity(files: LedgerFiles, stateDir: string, kind: AgentKind): Promise<Identity | undefined> {
  const found = await fileOf(files, stateDir).read()
  if (found && found.kind !== kind) {
    throw new SkerryError('invalid-argument', `${stateDir} belongs to an agent of kind ${found.kind}`, {
      stateDir,
      kind: found.kind,
    })
  }
  return found?.granted ? asIdentity(found, found.granted) : undefined
}

/**
 * Returns the identity that is there, or enrols. Throws `enrolment-refused` (ask for a new token) or `not-ready` (the controller
 * can't be reached or is starting: try again).
 */
export async function enrol(options: EnrolOptions): Promise<Identity> {
  const { files, stateDir, kind } = options
  const there = await loadIdentity(files, stateDir, kind)
  if (there) return there
  await files.makeDir(stateDir, 0o700)
  const file = fileOf(files, stateDir)
  const low = new Low<IdentityFile>(file, newKeys(kind))
  await low.read()
  await low.write()
  const answer = await ask(options, low.data)
  low.data.granted = answer
  await low.write()
  return asIdentity(low.data, answer)
}

type Place = Pick<EnrolOptions, 'files' | 'stateDir'>

/** The key pair that this rotation brings: made and kept at the first call, the same at each repeat. */
export async function newKey({ files, stateDir }: Place, rotation: string): Promise<{ publicKey: string; seed: string }> {
  const file = fileOf(files, stateDir)
  const found = await readEnrolled(file, stateDir)
  if (found.next?.rotation !== rotation) {
    found.next = { rotation, ...createUserKeys() }
    await file.write(found)
  }
  const { publicKey, seed } = found.next
  return { publicKey, seed }
}

/** The identity that counts from now on, also after a restart. */
export async function adoptKey({ files, stateDir }: Place, identity: Identity): Promise<void> {
  const file = fileOf(files, stateDir)
  const found = await readEnrolled(file, stateDir)
  const { uuid, jwt, servers, ca, ...keys } = identity
  await file.write({ ...found, ...keys, granted: { uuid, jwt, servers, ca }, next: null })
}

async function readEnrolled(file: CheckedFile<IdentityFile>, stateDir: string): Promise<IdentityFile> {
  const found = await file.read()
  if (!found?.granted) throw new SkerryError('internal', 'the identity of this agent is gone from its disk', { stateDir })
  return found
}

function newKeys(kind: AgentKind): IdentityFile {
  const sealing = createSealKeys()
  return {
    v: 1,
    kind,
    ...createUserKeys(),
    sealPublicKey: sealing.publicKey,
    sealPrivateKey: sealing.privateKey,
    granted: null,
    rotation: null,
    next: null,
  }
}

function asIdentity({ v: _v, granted: _granted, next: _next, ...keys }: IdentityFile, answer: z.infer<typeof granted>): Identity {
  return { ...keys, ...answer }
}

async function ask(options: EnrolOptions, keys: IdentityFile): Promise<z.infer<typeof granted>> {
  const { controllerUrl, token, kind, machineId, managementIp, version = SKERRY_VERSION } = options
  const url = new URL(`${PREFIX.own}/agents/enrol`, controllerUrl).href
  const params = { token, kind, machineId, managementIp, version, publicKey: keys.publicKey, sealKey: keys.sealPublicKey }
  const { status, text } = await post(options.fetch, url, JSON.stringify({ params }))
  const body = parseJson(text)
  if (status !== 200) throw refusal(url, status, body)
  const parsed = granted.safeParse(body)
  if (!parsed.success) throw new SkerryError('enrolment-refused', 'the controller answered enrolment in an unknown form', { url })
  return parsed.data
}

async function post(fetcher: PostJson, url: string, body: string): Promise<{ status: number; text: string }> {
  try {
    // once in its life, and mostly of random letters: not worth a compressor at either end
    const headers = { 'content-type': 'application/json', 'accept-encoding': 'identity' }
    const response = await fetcher(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(TIMEOUT_MS) })
    return { status: response.status, text: await response.text() }
  } catch (cause) {
    throw new SkerryError('not-ready', `the controller at ${url} cannot be reached`, { url }, { cause })
  }
}

/** The controller's own error where it is one of ours; its code decides whether a retry can help. */
function refusal(url: string, status: number, body: unknown): SkerryError {
  const code = typeof body === 'object' && body !== null && 'code' in body ? String(body.code) : ''
  const cause = Object.hasOwn(errors, code) ? fromErrorBody(body as ErrorBody) : undefined
  const later = status >= 500 || status === 429
  const message = later
    ? `the controller at ${url} is not ready (${status})`
    : `the controller at ${url} refused the enrolment (${status})`
  return new SkerryError(later ? 'not-ready' : 'enrolment-refused', message, { url, status }, cause ? { cause } : undefined)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // a proxy's page; the status tells the rest
  }
}
