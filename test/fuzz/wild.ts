/**
 * Values that break careless programs. None names a place beyond this machine: what takes a URL may go there. Bounded in number, so that
 * what the controller remembers of names it was told is bounded, too.
 */
import type { Chance } from './chance.ts'

const BITS = 'ab%_\\\'"`$(){}[]<>&|;*?!~^=,.:/@# \0\n\r\t\ud800é漢\u202e\u0130\ufeff'
const LENGTHS = [256, 2_049, 5_000]

/** Patterns that take a backtracking matcher exponential or quadratic time, with what almost matches them. */
export const patternBombs: readonly string[] = [
  '(a+)+$',
  `${'a'.repeat(40)}!`,
  '%a'.repeat(1_000),
  '_%'.repeat(800),
  `${'%'.repeat(2_000)}b`,
  '(.*)*'.repeat(200),
  `${'-'.repeat(200)}.`,
  `${'a.'.repeat(120)}!`,
  `${' '.repeat(254)}x `,
  `/${'./'.repeat(400)}`,
  `${'1.'.repeat(500)}1`,
  `host::${'::'.repeat(500)}`,
  `${'{'.repeat(500)}a${'}'.repeat(500)}`,
  `0x${'f'.repeat(400)}`,
  `${'9'.repeat(400)}G`,
]

export const wildTexts: readonly string[] = [
  ...['', ' ', '\0', 'a\0b', '\n', 'a\r\nX-Evil: 1', '\ud800', 'a\udc00b', '\u202Eabc', '\ufeffx', '𝔘𝔫𝔦', 'e\u0301', 'İ', 'ß'],
  ...[
    '; $(id)',
    '`id`',
    '| cat /etc/passwd',
    '&& reboot',
    '-rf',
    '--help',
    "'",
    '"',
    '\\',
    "' or 1=1 --",
    '\x24{7*7}',
    '{{7*7}}',
    '%s%n',
  ],
  ...['<x a="1">', '<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]>', ']]>', '&lt;', '<!--'],
  ...[
    '../../etc/passwd',
    '/etc/shadow',
    '..%2f..%2fetc',
    'C:\\',
    '/dev/zero',
    '/proc/self/mem',
    'file:///etc/shadow',
    '~root',
    '.',
    '..',
    '/',
  ],
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', 'then', 'length', '__defineGetter__'],
  ...[
    'NaN',
    'Infinity',
    '-Infinity',
    '-0',
    '1e400',
    '1e-400',
    '0x10',
    '00',
    '1_000',
    '٣',
    '9007199254740993',
    '-1',
    '1.5',
    'null',
    'undefined',
  ],
  ...[
    'true',
    'false',
    '[]',
    '{}',
    '[object Object]',
    '0'.repeat(32),
    'f'.repeat(32),
    'F'.repeat(32),
    'g'.repeat(32),
    '0'.repeat(31),
  ],
  ...['0.0.0.0', '255.255.255.255', '999.1.1.1', '10.0.0.0/33', '10.0.0.0/0', '::1', '127.1', '010.0.0.1', 'de:ad:be:ef:00:00'],
  ...['1970-01-01', '9999-12-31T23:59:59Z', '0000-00-00', '2026-02-31', 'Nov 99, 2026 1:00:00 PM', '30s', '-5m', '999999999m'],
  ...[
    'http://127.0.0.1:9/',
    'http://127.0.0.1:9/\r\n',
    'http://[::1',
    'javascript:alert(1)',
    'gopher://127.0.0.1:9/',
    'upload://',
    'http://x@127.0.0.1:9/',
  ],
  ...[
    'host::reservedMemory::',
    'host::reservedMemory::-1',
    'ephemeral::x',
    '::',
    'a::b::c::d',
    '{x}',
    'bootMode::',
    'a=b=c',
    'uuid?=',
    '*',
    '%',
  ],
  ...[
    '* * * * * *',
    '*/0 * * * *',
    '0 0 31 2 *',
    '0 0 0 ? * MON#9',
    `${'*,'.repeat(300)}*`,
    '1-99999999 * * * *',
    '0/0 0 0 * * ?',
  ],
  ...patternBombs,
]

export const wildNumbers: readonly unknown[] = [
  ...[
    0,
    -0,
    -1,
    1,
    1.5,
    1e308,
    -1e308,
    5e-324,
    2 ** 31,
    2 ** 31 - 1,
    -(2 ** 31),
    2 ** 32,
    2 ** 53,
    2 ** 53 - 1,
    2 ** 63,
    1e21,
    65_536,
  ],
  ...[Number.NaN, Number.POSITIVE_INFINITY],
]

/** Text of one of the known kinds, or of bits of them. */
export function wildText(chance: Chance): string {
  if (chance.often(0.75)) return chance.pick(wildTexts)
  if (chance.often(0.1)) return chance.pick(['x', 'é', '"', '%', '(']).repeat(chance.pick(LENGTHS))
  return Array.from({ length: 1 + chance.below(12) }, () => BITS[chance.below(BITS.length)]).join('')
}

/** `depth` lists or maps, each in the other. */
export function nested(depth: number, chance: Chance): unknown {
  let value: unknown = wildText(chance)
  const key = chance.pick(['a', '__proto__', 'and', 'params'])
  const list = chance.often(0.5)
  for (let i = 0; i < depth; i++) value = list ? [value] : Object.fromEntries([[key, value]])
  return value
}

/** Anything that JSON can say. */
export function wildValue(chance: Chance, depth = 0): unknown {
  const kind = chance.weighed({
    text: 6,
    number: 3,
    word: 2,
    list: depth < 3 ? 2 : 0,
    map: depth < 3 ? 2 : 0,
    deep: 0.3,
    long: 0.1,
  })
  if (kind === 'text') return wildText(chance)
  if (kind === 'number') return chance.pick(wildNumbers)
  if (kind === 'word') return chance.pick([null, true, false, {}, [], ''])
  if (kind === 'deep') return nested(chance.pick([5, 31, 40, 300]), chance)
  if (kind === 'long') return Array.from({ length: chance.pick([300, 3_000]) }, () => chance.pick([1, 'a', null, 'f'.repeat(32)]))
  const inner = Array.from({ length: chance.below(4) }, () => wildValue(chance, depth + 1))
  if (kind === 'list') return inner
  return Object.fromEntries(inner.map((value) => [wildText(chance), value]))
}
