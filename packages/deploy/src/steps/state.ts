/** What the steps of `up` share: the ports that come in, and what earlier steps found for later ones. */
import { SkerryError } from '@skerry/contract'
import type { Host } from '@skerry/host'
import type { Client } from '@skerry/sdk'
import type { KvmVerdict } from '../kvm.ts'
import type { Layout } from '../layout.ts'
import type { SiteRecord } from '../record.ts'
import type { Bundles } from '../services/bundles.ts'
import type { ServiceManager } from '../services/manager.ts'
import type { ServiceSpec } from '../services/spec.ts'
import type { GuestKind, Settings } from '../settings.ts'
import type { Fingerprints } from '../site/secrets.ts'
import type { GuestKey } from '../site/ssh-key.ts'

/** By which the controller knows the machine that `up` runs on. */
export const MANAGEMENT_IP = '127.0.0.1'

export interface UpPorts {
  settings: Settings
  layout: Layout
  host: Host
  /** Absolute path of node. */
  node: string
  /** The clone's `dist`. */
  dist: string
  /** Where the command line keeps its contexts: `$XDG_CONFIG_HOME` or `~/.config`. */
  configHome: string
  systemd: boolean
  sleep(ms: number): Promise<void>
  /** Wall clock. */
  now(): number
}

/** Filled by the steps, in order. */
export interface Found {
  record: SiteRecord
  bundles: Bundles
  fingerprints: Fingerprints
  manager: ServiceManager
  guest: { path: string; sha256: string }
  debian: { path: string; sha256: string }
  key: GuestKey
  kvm: KvmVerdict
  libvirt: { uri: string; services: readonly ServiceSpec[] }
  client: Client
  endSession: () => Promise<void>
  vm: { name: string; kind: GuestKind; state: string; address: string; said: string; started: number }
}

export type Up = UpPorts & { found: Partial<Found> }
export type Say = (text: string) => void
export type Step = (up: Up, say: Say) => Promise<void>

/** A step before this one must have found it: anything else is a defect of the order. */
export function need<K extends keyof Found>(up: Up, what: K): Found[K] {
  const value = up.found[what]
  if (value === undefined) throw new SkerryError('internal', `a step needs ${what}, which no step before it found`)
  return value as Found[K]
}

/** Polls until it holds. `why`: what to say when it doesn't, with what helps. */
export async function waitUntil(
  up: Pick<UpPorts, 'sleep' | 'now'>,
  holds: () => Promise<boolean>,
  o: { timeoutMs: number; why: () => Promise<SkerryError> },
): Promise<void> {
  const until = up.now() + o.timeoutMs
  while (!(await holds())) {
    if (up.now() >= until) throw await o.why()
    await up.sleep(200)
  }
}

const TAIL_CHARS = 1_500

/** The end of a service's log, for an error about it. */
export async function logTail(up: Pick<UpPorts, 'host' | 'layout'>, service: string): Promise<string> {
  const path = up.layout.log(service)
  const stat = await up.host.files.stat(path)
  const from = Math.max(0, (stat?.sizeBytes ?? 0) - TAIL_CHARS)
  const bytes = await up.host.files.readAt(path, from, TAIL_CHARS)
  return bytes ? Buffer.from(bytes).toString('utf8') : '(no log yet)'
}
