/** What the signs between two values do. `||` and `&&` are not here: they need not look at their right. */
import type { Binary } from './syntax.ts'
import { compared, isMap, isSame, joined, kindOf, newMap, textOf, wrong } from './values.ts'

export type Operator = (left: unknown, right: unknown) => unknown

export const operators: Record<Exclude<Binary, '||' | '&&'>, Operator> = {
  '==': isSame,
  '!=': (a, b) => !isSame(a, b),
  '<': (a, b) => compared(a, b) < 0,
  '>': (a, b) => compared(a, b) > 0,
  '<=': (a, b) => compared(a, b) <= 0,
  '>=': (a, b) => compared(a, b) >= 0,
  in: (a, b) => (isMap(b) ? Object.hasOwn(b, String(a)) : listOf(b, 'in').some((one) => isSame(a, one))),
  '<<': (a, b) => {
    const list = listOf(a, '<<')
    list.push(b)
    return list
  },
  '+': plus,
  '-': (a, b) => numeric(a, '-') - numeric(b, '-'),
  '*': (a, b) => numeric(a, '*') * numeric(b, '*'),
  '/': (a, b) => divided(numeric(a, '/'), numeric(b, '/'), (x, y) => x / y),
  '%': (a, b) => divided(numeric(a, '%'), numeric(b, '%'), (x, y) => x % y),
}

function plus(a: unknown, b: unknown): unknown {
  if (typeof a === 'string' || typeof b === 'string') return joined([textOf(a), textOf(b)])
  if (Array.isArray(a)) return [...a, ...(Array.isArray(b) ? b : [b])]
  if (isMap(a) && isMap(b)) return Object.assign(newMap(), a, b)
  return numeric(a, '+') + numeric(b, '+')
}

function divided(a: number, b: number, by: (a: number, b: number) => number): number {
  if (b === 0) throw wrong('Division by zero')
  return by(a, b)
}

export function numeric(value: unknown, of: string): number {
  if (typeof value === 'number') return value
  throw wrong(`${of} takes numbers, not a ${kindOf(value)}`)
}

export function listOf(value: unknown, of: string): unknown[] {
  if (Array.isArray(value)) return value
  throw wrong(`${of} takes a list, not a ${kindOf(value)}`)
}
