/** What is wrong with the controller itself: its log, its certificates, its bus, its secrets. Pure. */
import type { BusState } from '@skerry/bus'
import type { SkerryError } from '@skerry/contract'
import { toErrorBody } from '@skerry/contract'
import type { Recovery, StoreStatus } from '../store/index.ts'
import { type Finding, ofSite } from './finding.ts'

export interface Certificate {
  /** what it is for, such as `HTTP` */
  name: string
  /** epoch ms */
  validTo: number
}

/** A stored secret that could not be opened. */
export interface LostSecret {
  noun: string
  uuid: string
  name: string | null
  field: string
  error: string
}

export interface BackgroundFailure {
  count: number
  /** epoch ms of the last one */
  at: number
  error: SkerryError | Error
  doing: string
}

export interface SiteFacts {
  store: StoreStatus
  recovery: Recovery
  bus: BusState
  /** epoch ms */
  now: number
  /** ms since this process began */
  upMs: number
  certificates: readonly Certificate[]
  lostSecrets: readonly LostSecret[]
  background: BackgroundFailure | undefined
  /** the last jump of the wall clock: by how much, and how long ago */
  clockJump: { byMs: number; agoMs: number } | undefined
}

const DAY_MS = 86_400_000
/** A cut end of the log is told for a day. */
export const TAIL_SHOWN_MS = DAY_MS
export const CERTIFICATE_SOON_MS = 30 * DAY_MS
export const BACKGROUND_SHOWN_MS = 600_000
/** So long a clock that jumped is not believed. */
export const JUMP_SHOWN_MS = DAY_MS

export function siteFindings(facts: SiteFacts): Finding[] {
  return [
    ...storeFindings(facts),
    ...recoveryFindings(facts),
    ...busFindings(facts),
    ...certificateFindings(facts),
    ...jumpFindings(facts),
    ...others(facts),
  ]
}

function storeFindings({ store }: SiteFacts): Finding[] {
  const { reason } = store
  if (!reason) return historyFindings(store)
  const code =
    reason.code === 'disk-full' || reason.code === 'log-corrupt' || reason.code === 'store-stopped'
      ? reason.code
      : 'store-stopped'
  const { message, details, cause } = toErrorBody(reason)
  return [
    ...historyFindings(store),
    ofSite(code, cause ? `${message}: ${cause.message}` : message, {
      ...details,
      ...(cause ? { cause } : {}),
      durableSeq: store.durableSeq,
    }),
  ]
}

const historyFindings = (store: StoreStatus): Finding[] =>
  store.damagedHistory.map(({ message, details }) => {
    const where = String(details['file'] ?? '')
    return ofSite('history-damaged', `${message}${where ? ` (${where})` : ''}`, details, where)
  })

function recoveryFindings({ recovery, upMs }: SiteFacts): Finding[] {
  const found: Finding[] = []
  const { tornBytes, file, offset } = recovery
  if (tornBytes > 0 && upMs < TAIL_SHOWN_MS)
    found.push(
      ofSite('log-tail-cut', `${tornBytes} bytes of an unfinished record were cut from ${file} at ${offset}`, {
        ...{ file, offset, bytes: tornBytes },
      }),
    )
  for (const bad of recovery.badSnapshots) {
    const where = String(bad.details['file'] ?? '')
    found.push(ofSite('snapshot-damaged', `${bad.message}${where ? ` (${where})` : ''}`, bad.details, where))
  }
  if (recovery.previousManifest) found.push(ofSite('manifest-damaged', 'manifest.json was damaged; its previous copy was used'))
  return found
}

function busFindings({ bus }: SiteFacts): Finding[] {
  return bus === 'connected'
    ? []
    : [ofSite('nats-away', 'the connection to NATS is broken; agents cannot be told anything, and nothing is heard of them')]
}

function certificateFindings({ certificates, now }: SiteFacts): Finding[] {
  return certificates.flatMap(({ name, validTo }) => {
    const day = new Date(validTo).toISOString()
    const details = { certificate: name, validTo: day }
    if (validTo <= now) return [ofSite('certificate-ended', `the certificate of ${name} ended at ${day}`, details, name)]
    if (validTo - now > CERTIFICATE_SOON_MS) return []
    return [ofSite('certificate-near-end', `the certificate of ${name} ends at ${day}`, details, name)]
  })
}

function jumpFindings({ clockJump }: SiteFacts): Finding[] {
  if (!clockJump || clockJump.agoMs > JUMP_SHOWN_MS) return []
  const { byMs } = clockJump
  const text = `the clock of the controller was moved by ${Math.round(Math.abs(byMs) / 1000)} s ${byMs > 0 ? 'forth' : 'back'}`
  return [ofSite('clock-jumped', text, { byMs: Math.round(byMs) })]
}

function others({ lostSecrets, background, now }: SiteFacts): Finding[] {
  const secrets = lostSecrets.map(
    ({ noun, uuid, name, field, error }): Finding => ({
      ...{ code: 'secret-unreadable', noun, uuid, name, place: field },
      message: `the ${field} of ${noun} ${name ?? uuid} cannot be opened: ${error}`,
      details: { field, error },
    }),
  )
  if (!background || now - background.at > BACKGROUND_SHOWN_MS) return secrets
  const { count, doing, error, at } = background
  return [
    ...secrets,
    ofSite('background-failure', `${doing}: ${error.message}`, { count, last: at, doing, error: toErrorBody(error) }),
  ]
}
