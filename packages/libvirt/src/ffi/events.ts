/** libvirt's event loop on a pool thread, lifecycle events and the loss of the connection. */
import { libvirtCodes } from '../failure-data.ts'
import type { LifecycleEvent } from '../port.ts'
import { lifecycleWords } from '../states.ts'
import { CallFailure, type Lane } from './connection.ts'
import { readDomain } from './layouts.ts'
import type { Native } from './native.ts'

const VIR_DOMAIN_EVENT_ID_LIFECYCLE = 0
const VIR_DOMAIN_EVENT_ID_REBOOT = 1
const VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED = 15
/** The loop sleeps in poll(); a timer makes it come back so that it also serves handles added meanwhile. */
const LOOP_TIMER_MS = 100
const KEEPALIVE_INTERVAL_S = 5
const KEEPALIVE_COUNT = 4

/** Must come before the first open: connections bind to the event implementation that is registered then. */
export function registerEventLoop(native: Native): void {
  native.callNow('virInitialize')
  native.callNow('virEventRegisterDefaultImpl')
  const tick = native.callback('timeout', () => undefined)
  native.callNow('virEventAddTimeout', LOOP_TIMER_MS, tick, native.nullPointer, native.nullPointer)
}

/** Runs until the process ends; a failing iteration is fatal, because without a loop connections go deaf. */
export async function runEventLoop(native: Native): Promise<never> {
  for (;;) {
    const { returned } = await native.call('virEventRunDefaultImpl')
    if (returned < 0) throw new Error("libvirt's event loop failed")
  }
}

export interface EventHandlers {
  onLifecycle(event: Omit<LifecycleEvent, 'at'>): void
  onClosed(reason: string): void
}

const closeReasons = ['error', 'end of file', 'keepalive', 'client']

/** Subscribes one connection. Drivers without a daemon know neither close callbacks nor keepalive. */
export async function subscribe(lane: Lane, handlers: EventHandlers): Promise<void> {
  const { native, conn } = lane
  const none = native.nullPointer
  const onLifecycle = native.callback('lifecycle', (_conn, domain, event, detail) => {
    const words = lifecycleWords(event, detail)
    if (!words) return
    const { uuid, name } = readDomain(native, domain)
    handlers.onLifecycle({ domainUuid: uuid, name, ...words })
  })
  const onReboot = native.callback('reboot', (_conn, domain) => {
    const { uuid, name } = readDomain(native, domain)
    handlers.onLifecycle({ domainUuid: uuid, name, event: 'rebooted', detail: 'reset' })
  })
  const onRemoved = native.callback('deviceRemoved', (_conn, domain, alias) => {
    const { uuid, name } = readDomain(native, domain)
    handlers.onLifecycle({ domainUuid: uuid, name, event: 'deviceRemoved', detail: native.text(alias) })
  })
  const onClose = native.callback('close', (_conn, reason) => handlers.onClosed(closeReasons[reason] ?? `reason ${reason}`))
  await optional(lane.call('virConnectRegisterCloseCallback', conn, onClose, none, none))
  await lane.call('virConnectDomainEventRegisterAny', conn, none, VIR_DOMAIN_EVENT_ID_LIFECYCLE, onLifecycle, none, none)
  await lane.call('virConnectDomainEventRegisterAny', conn, none, VIR_DOMAIN_EVENT_ID_REBOOT, onReboot, none, none)
  const removed = VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED
  await lane.call('virConnectDomainEventRegisterAny', conn, none, removed, onRemoved, none, none)
  await optional(lane.call('virConnectSetKeepAlive', conn, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT))
}

async function optional(call: Promise<unknown>): Promise<void> {
  try {
    await call
  } catch (error) {
    if (!(error instanceof CallFailure) || error.failure.libvirtCode !== libvirtCodes.noSupport) throw error
  }
}
