/** Nothing that anybody writes makes the parsers throw anything but their own clear error, or think for long. */
import { SkerryError } from '@skerry/contract'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { entities, parseQuery, parseZql, runQuery, runZql, targets } from '../src/index.ts'
import { graphOf, randomOf, randomRows } from './random-graph.ts'

const graph = graphOf(randomRows(randomOf(1)))
const codes = ['malformed-request', 'invalid-argument']

/** Runs it; the error, if there was one, must be ours and say something. */
function survives(run: () => unknown): boolean {
  try {
    run()
    return true
  } catch (error) {
    if (!(error instanceof SkerryError) || !codes.includes(error.code) || error.message === '') throw error
    return false
  }
}
const zql = (text: string) => survives(() => runZql(graph, parseZql(text, { targets, entities })))
const q = (text: string): void => {
  survives(() => runQuery(graph, parseQuery({ q: [text] }, targets['vmInstance']!, targets)))
}

const piece = fc.oneof(
  fc.constantFrom(
    ...[
      'query',
      'count',
      'sum',
      'search',
      'by',
      'where',
      'and',
      'or',
      'not',
      'in',
      'like',
      'has',
      'is',
      'null',
      'list',
      'distinct',
      'max',
    ],
    ...[
      'restrict by (',
      'return with (',
      'group by',
      'order by',
      'desc',
      'limit',
      'offset',
      'filter by',
      'named as',
      'from',
      'total',
      'join',
    ],
    ...[
      '(',
      ')',
      ',',
      '.',
      ';',
      '=',
      '!=',
      '>=',
      '{',
      '}',
      "'",
      '"',
      '%',
      '-',
      '\n',
      '\u0000',
      '\u2028',
      '😀',
      '__proto__',
      'constructor',
    ],
    ...[
      'vminstance',
      'zone',
      'host',
      'uuid',
      'name',
      'cpuNum',
      'vmNics',
      'l3Network',
      'zoneUuid',
      '__userTag__',
      'state',
      'toString',
    ],
    ...["'x'", '1', '-1', '1.5', 'true', '9'.repeat(400), '?=', '~=', '!~=', 'is null', 'not null', '1e999', 'NaN'],
  ),
  fc.string({ unit: 'binary', maxLength: 6 }),
)
const soup = fc.array(piece, { maxLength: 24 }).map((pieces) => pieces.join(' '))
/** Begins as a statement does, so that more than the first word is reached. */
const begun = fc.tuple(
  fc.constantFrom('query vminstance where ', 'count host ', 'sum vminstance.cpuNum by ', 'query zone restrict by ('),
  soup,
)

describe('anything', () => {
  it('as ZQL is answered or refused by name', () => {
    let answered = 0
    const one = (text: string) => void (answered += Number(zql(text)))
    fc.assert(fc.property(soup, one), { numRuns: 2000 })
    fc.assert(
      fc.property(
        begun.map((parts) => parts.join('')),
        one,
      ),
      { numRuns: 4000 },
    )
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 60 }), one), { numRuns: 1000 })
    expect(answered).toBeGreaterThan(0)
  })

  it('as a condition too', () => {
    const condition = fc.tuple(fc.constantFrom('name', 'vmNics.ip', 'cpuNum', 'createDate', '__userTag__', 'x', ''), soup)
    fc.assert(
      fc.property(
        condition.map((parts) => parts.join('')),
        q,
      ),
      { numRuns: 4000 },
    )
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 60 }), q), { numRuns: 1000 })
  })
})

/** Would take for ever, or overflow the stack, if any of it were read more than once or without end. */
const LONG = 60_000
const times = (text: string, length = LONG) => text.repeat(Math.floor(length / text.length))

describe('long texts are read in one pass', () => {
  it.each([
    ['parentheses', `query zone where ${times('(')}`],
    ['closed ones', `query zone where ${times('(', LONG / 2)}name='x'${times(')', LONG / 2)}`],
    ['functions', `query ${times('max(')}`],
    ['nested queries', times('query zone where uuid in (query zone.uuid where ')],
    ['lists', `query zone where name in (${times("'a',")}'a')`],
    ['alternatives', `query zone where ${times("name='x' or ")}name='y'`],
    ['alternations', `query zone where ${times("name='x' or name='y' and ")}name='y'`],
    ['a path', `query zone where ${times('clusters.')}name = 'x'`],
    ['an endless path', `query zone where ${times('clusters.zone.')}name = 'x'`],
    ['digits', `query zone limit ${times('9')}`],
    ['digits in a word', `query zone where ${times('9')}a = 1`],
    ['spaces', `query zone${times(' ')}`],
    ['braces', `query zone filter by x${times('{')}`],
    ['closed braces', `query zone filter by x${times('{', LONG / 2)}${times('}', LONG / 2)}`],
    ['quotes', `query zone where name = ${times("''")}`],
    ['a pattern', `query zone where name like '${times('%_a')}'`],
    ['lines', `query zone${times('\n')}#`],
    ['a name', `query ${times('zone')}`],
    ['a field', `query zone where ${times('name')} = 1`],
    ['statements', times('count zone;', 1000)],
  ])('%s', (_, text) => {
    zql(text)
    q(text.replace('query zone where ', ''))
  })
})
