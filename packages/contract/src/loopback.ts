import { z } from 'zod'

/** 127.0.0.0/8, ::1 (also IPv4-mapped) and `localhost`. */
export function isLoopback(address: string): boolean {
  if (address === 'localhost') return true
  const plain = address.replace(/^::ffff:/i, '')
  if (z.ipv4().safeParse(plain).success) return plain.startsWith('127.')
  return z.ipv6().safeParse(plain).success && /^(0*:)*:?0*1$/.test(plain)
}
