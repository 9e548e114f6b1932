/**
 * nftables as data: the part of libnftables' JSON (man 5 libnftables-json) that we write and read, with one builder per
 * object. Nothing here is ever text that nft parses as its own language, so no name or comment can become a rule.
 */
import { ifname } from '@skerry/contract'
import { z } from 'zod'
import { checkInput } from './parse-json.ts'

export type NftFamily = 'ip' | 'ip6' | 'inet' | 'arp' | 'bridge' | 'netdev'
export interface NftTable {
  family: NftFamily
  name: string
}
/** A value: `10.0.0.1`, 80, a prefix, a range, or a concatenation of values. */
export type NftValue =
  | string
  | number
  | boolean
  | null
  | { prefix: { addr: string; len: number } }
  | { range: [NftValue, NftValue] }
  | { concat: NftValue[] }
  | NftVerdict
export type NftVerdict =
  | { accept: null }
  | { drop: null }
  | { return: null }
  | { jump: { target: string } }
  | { goto: { target: string } }
/** Of a set: a value; of a map: a pair of key and value. */
export type NftElement = NftValue | [NftValue, NftValue]
/** One statement of a rule, in libnftables' JSON. The functions below write the ones we use. */
export type NftStatement = Record<string, unknown>

export interface NftChain {
  family: NftFamily
  table: string
  name: string
  /** A base chain has all of these; without them it is reached by jumps only. */
  type?: 'filter' | 'nat' | 'route'
  hook?: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'ingress'
  prio?: number
  policy?: 'accept' | 'drop'
  /** netdev family only. */
  dev?: string
  handle?: number
}
export interface NftSet {
  family: NftFamily
  table: string
  name: string
  /** `ipv4_addr`, or a list for a concatenation. */
  type: string | string[]
  flags?: string[]
  timeout?: number
  elem?: NftElement[]
  handle?: number
}
export interface NftMap extends NftSet {
  /**
   * Type of the values: `ipv4_addr`, `verdict` … One type only: nft 1.0.6 reads no concatenation here (it makes a plain set
   * of it, silently). A port forwarding takes two maps with one key: one gives the address, the other the port.
   */
  map: string
}
export interface NftRule {
  family: NftFamily
  table: string
  chain: string
  expr: NftStatement[]
  /** Free text, kept by the kernel: rules are found again by it. */
  comment?: string
  handle?: number
}
export interface NftElements {
  family: NftFamily
  table: string
  name: string
  elem: NftElement[]
}
export type NftObject =
  | { table: NftTable & { handle?: number } }
  | { chain: NftChain }
  | { set: NftSet }
  | { map: NftMap }
  | { rule: NftRule }
  | { element: NftElements }
type SetRef = { family: NftFamily; table: string; name: string }
type RuleRef = { family: NftFamily; table: string; chain: string; handle: number }
export type NftCommand =
  | { add: NftObject }
  | { insert: { rule: NftRule } }
  | { replace: { rule: NftRule & { handle: number } } }
  | {
      delete:
        | { table: NftTable }
        | { chain: SetRef }
        | { set: SetRef }
        | { map: SetRef }
        | { rule: RuleRef }
        | { element: NftElements }
    }
  | { flush: { table: NftTable } | { chain: SetRef } | { set: SetRef } | { map: SetRef } }

/** `fwd` and friends are words of nft's own language; a letter first keeps a name from being read as a number. */
const objectName = z.string().regex(/^[a-zA-Z][a-zA-Z0-9_]{0,62}$/, 'must be letters, digits and _')
const family = z.enum(['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev'])
// nft 1.0.6 keeps at most 128 bytes of comment
const comment = z.string().regex(/^[\x20-\x7e]{0,128}$/, 'must be printable, at most 128 characters')

const named = <T extends { family: NftFamily; name: string; table?: string }>(what: string, object: T): T => {
  checkInput(what, { family: object.family, name: object.name }, z.object({ family, name: objectName }))
  if (object.table !== undefined) checkInput(what, object.table, objectName)
  return object
}

export const addTable = (table: NftTable): NftCommand => ({ add: { table: named('nft table', table) } })
/** Both commands together: gone afterwards whether it was there or not (nft 1.0.6 has no `destroy`). */
export const dropTable = (table: NftTable): NftCommand[] => [addTable(table), { delete: { table } }]
export const addChain = (chain: NftChain): NftCommand => ({ add: { chain: named('nft chain', chain) } })
export const addSet = (set: NftSet): NftCommand => ({ add: { set: named('nft set', set) } })
export const addMap = (map: NftMap): NftCommand => ({ add: { map: named('nft map', map) } })
/** Into a set or a map; an element that is there already is fine, the same map key with another value is not. */
export const addElements = (element: NftElements): NftCommand => ({ add: { element: named('nft element', element) } })
/** An element that isn't there fails the whole transaction. */
export const deleteElements = (element: NftElements): NftCommand => ({ delete: { element: named('nft element', element) } })
export const addRule = (rule: NftRule): NftCommand => {
  named('nft rule', { family: rule.family, table: rule.table, name: rule.chain })
  if (rule.comment !== undefined) checkInput('nft comment', rule.comment, comment)
  return { add: { rule } }
}
export const deleteRule = (rule: RuleRef): NftCommand => ({ delete: { rule } })
export const flushChain = (chain: SetRef): NftCommand => ({ flush: { chain: named('nft chain', chain) } })
export const flushSet = (set: SetRef): NftCommand => ({ flush: { set: named('nft set', set) } })

/** `match(payload('ip', 'saddr'), '@internal')`: the left side equals the right, or is in the set. */
export const match = (
  left: unknown,
  right: NftValue | ReturnType<typeof anyOf>,
  op: '==' | '!=' | '<' | '>' | '<=' | '>=' | 'in' = '==',
): NftStatement => ({
  match: { op, left, right },
})
export const payload = (protocol: string, field: string) => ({ payload: { protocol, field } })
export const meta = (key: string) => ({ meta: { key } })
export const ct = (key: string) => ({ ct: { key } })
export const iifname = (name: string): NftStatement => match(meta('iifname'), checkInput('interface', name, ifname))
export const oifname = (name: string): NftStatement => match(meta('oifname'), checkInput('interface', name, ifname))
/** `ct state established,related` */
export const ctState = (...states: string[]): NftStatement => match(ct('state'), states as unknown as NftValue, 'in')
export const accept: NftStatement & NftVerdict = { accept: null }
export const drop: NftStatement & NftVerdict = { drop: null }
export const masquerade: NftStatement = { masquerade: null }
export const counter: NftStatement = { counter: { packets: 0, bytes: 0 } }
export const jump = (target: string): NftStatement & NftVerdict => ({ jump: { target } })
/** `iifname vmap @from`: goes where the map says; a key that is not in it goes on. */
export const vmap = (key: unknown, mapName: string): NftStatement => ({ vmap: { key, data: `@${mapName}` } })
/** Writes a value into the packet or its connection: `mangle(meta('mark'), 7)`, `mangle(ct('zone'), 7)`. */
export const mangle = (key: unknown, value: unknown): NftStatement => ({ mangle: { key, value } })
export const returns: NftStatement & NftVerdict = { return: null }
/** Several values without a name, for the right side of a match. */
export const anyOf = (...values: NftValue[]) => ({ set: values })
/** Looks `key` up in a named map: `lookup(payload('ip', 'daddr'), 'eips')`. */
export const lookup = (key: unknown, mapName: string) => ({ map: { key, data: `@${mapName}` } })
/** In the inet family nft wants to know of which family the address is. */
export const snat = (addr: unknown, port?: unknown): NftStatement => ({
  snat: { family: 'ip', addr, ...(port !== undefined ? { port } : {}) },
})
export const dnat = (addr: unknown, port?: unknown): NftStatement => ({
  dnat: { family: 'ip', addr, ...(port !== undefined ? { port } : {}) },
})
/** `10.0.0.0/24` as an element of an interval set. A /32 is the plain address, as the kernel lists it. */
export function prefix(cidr: string): NftValue {
  const [addr, len] = cidr.split('/') as [string, string | undefined]
  return len === undefined || len === '32' ? addr : { prefix: { addr, len: Number(len) } }
}
/** An element in one canonical text, to compare wanted with listed ones. */
export const elementKey = (element: NftElement): string => JSON.stringify(element)
