import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { covers } from '../src/index.ts'
import { SubjectTree } from '../src/subject.ts'

const token = fc.constantFrom('a', 'b', 'c')
const subject = fc.array(token, { minLength: 1, maxLength: 4 }).map((t) => t.join('.'))
const pattern = fc
  .tuple(fc.array(fc.oneof(token, fc.constant('*')), { minLength: 0, maxLength: 3 }), fc.constantFrom('a', '*', '>'))
  .map(([head, last]) => [...head, last].join('.'))

describe('patterns', () => {
  it.each([
    ['a.>', 'a.b', true],
    ['a.>', 'a.b.c', true],
    ['a.>', 'a', false],
    ['a.*', 'a.b', true],
    ['a.*', 'a.*', true],
    ['a.*', 'a.>', false],
    ['a.*', 'a.b.c', false],
    ['a.>', 'a.*.c', true],
    ['a.>', 'a.>', true],
    ['a.b', 'a.*', false],
    ['>', 'a', true],
    ['*', '>', false],
  ])('%s covers %s: %s', (allowed, other, expected) => {
    expect(covers(allowed, other)).toBe(expected)
  })

  it('that cover a pattern match every subject that it matches', () => {
    fc.assert(
      fc.property(
        pattern,
        pattern,
        subject,
        (wide, narrow, s) => !(covers(wide, narrow) && covers(narrow, s)) || covers(wide, s),
      ),
      { numRuns: 2_000 },
    )
  })
})

describe('the subject tree', () => {
  it('finds what a scan over all patterns finds, also after removals', () => {
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 12 }), fc.array(fc.nat(11)), subject, (patterns, removed, s) => {
        const tree = new SubjectTree<number>()
        for (const [i, p] of patterns.entries()) tree.add(p, i)
        const gone = new Set(removed.filter((i) => i < patterns.length))
        for (const i of gone) tree.remove(patterns[i] as string, i)
        const expected = [...patterns.keys()].filter((i) => !gone.has(i) && covers(patterns[i] as string, s))
        expect(tree.match(s).sort((x, y) => x - y)).toEqual(expected)
      }),
    )
  })

  it('keeps nothing of what was removed', () => {
    const tree = new SubjectTree<number>()
    tree.add('a.b.>', 1)
    tree.add('a.b', 2)
    tree.remove('a.b.>', 1)
    tree.remove('a.b', 2)
    tree.remove('a.x', 3) // never added
    expect(tree).toEqual(new SubjectTree<number>())
    expect(tree.match('a.b')).toEqual([])
  })
})
