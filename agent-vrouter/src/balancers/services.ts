/** Ports of a router's own addresses that are open to everybody: elements of a set in its table. Pure. */
import type { NftElement } from '@skerry/host'
import type { BalancerSpec } from './spec.ts'

/** `198.51.100.20 tcp 443` */
export interface Service {
  ip: string
  port: number
}

export const servicesOf = ({ ip, listeners }: BalancerSpec): Service[] => listeners.map(({ port }) => ({ ip, port }))
export const sameService = (a: Service, b: Service) => a.ip === b.ip && a.port === b.port
export const toElement = ({ ip, port }: Service): NftElement => ({ concat: [ip, 'tcp', port] })

/** Undefined: of a form that we never write. */
export function serviceOf(element: NftElement): Service | undefined {
  if (!element || typeof element !== 'object' || Array.isArray(element) || !('concat' in element)) return undefined
  const [ip, protocol, port] = element.concat
  return typeof ip === 'string' && protocol === 'tcp' && typeof port === 'number' ? { ip, port } : undefined
}
