/** The digest that is kept up to date is the one that is made anew. */
import { createHash } from 'node:crypto'
import { digestText } from '@skerry/contract'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { DigestLines } from '../src/ledger/digest-lines.ts'
import type { LedgerEntry } from '../src/ledger/entry.ts'

const step = fc.record({ n: fc.nat(7), noun: fc.constantFrom('vm', 'volume'), seq: fc.nat(3), buried: fc.boolean() })

test('is that of the text of all documents, whatever came and went before', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const lines = new DigestLines()
      const entries = new Map<string, LedgerEntry>()
      for (const { n, noun, seq, buried } of steps) {
        const uuid = n.toString(16).padStart(32, '0')
        const generation = { incarnation: 1, seq }
        const document = { noun, uuid, schema: 1, generation, hash: `h${seq}`, job: null, spec: {} }
        const tombstone = buried ? { generation, job: null, goneAt: null } : null
        const entry: LedgerEntry = { v: 1, noun, uuid, epoch: 1, document, tombstone, facts: {} }
        lines.replace(entries.get(`${noun}/${uuid}`), entry)
        entries.set(`${noun}/${uuid}`, entry)
        const live = [...entries.values()].flatMap((e) => (e.document && !e.tombstone ? [e.document] : []))
        expect(lines.digest()).toBe(createHash('sha256').update(digestText(live)).digest('hex'))
      }
    }),
  )
})
