/** What this controller runs on, and which APIs it has. */
import { apis, type Row } from '@skerry/contract'
import type { Call } from '../engine/port.ts'

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' }
const supportApis = apis.filter(({ api }) => !api.own).map(({ api }) => `API${api.api}Msg`)

/** `+02:00` of −120 minutes, as JavaScript counts them. */
function offsetOf(minutes: number): string {
  const two = (n: number) => String(n).padStart(2, '0')
  const east = Math.abs(minutes)
  return `${minutes > 0 ? '-' : '+'}${two(Math.floor(east / 60))}:${two(east % 60)}`
}

export const nodeCalls = (now: () => number): Record<string, (call: Call) => Row> => ({
  GetManagementNodeArch: () => ({ architecture: ARCHITECTURES[process.arch] ?? process.arch }),
  GetSupportAPIs: () => ({ supportApis }),
  GetPlatformTimeZone: () => ({
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    offset: offsetOf(new Date(now()).getTimezoneOffset()),
  }),
})
