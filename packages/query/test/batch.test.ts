// biome-ignore-all lint/suspicious/noTemplateCurlyInString: scripts have values in their texts
/** Scripts of batch queries: what they mean, what is wrong with them, and that none runs away. */
import type { SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { type Ask, askedQuery, Moment, parseScript, runScript } from '../src/index.ts'

const vms = [
  {
    uuid: 'a',
    name: 'web',
    cpuNum: 1,
    hostUuid: 'h1',
    vmNics: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }],
    createDate: new Moment(5),
  },
  { uuid: 'b', name: 'db', cpuNum: 4, hostUuid: 'h2', vmNics: [], createDate: new Moment(9) },
  { uuid: 'c', name: 'spare', cpuNum: 2, vmNics: [{ ip: '10.0.0.3' }], createDate: new Moment(7) },
]
const hosts: Record<string, object> = { h1: { name: 'host-1' }, h2: { name: 'host-2' } }

const asked: Ask[] = []
async function answer(ask: Ask): Promise<unknown> {
  asked.push(ask)
  if (ask.ask === 'call') return { result: { api: ask.api, ...JSON.parse(ask.params) } }
  if (ask.ask === 'zql') return [{ inventories: vms, total: vms.length }]
  const host = /^QueryHost uuid=(\w+)/.exec(ask.text)?.[1]
  if (host) return { result: [hosts[host]] }
  if (ask.text.includes('count=true')) return { total: vms.length, result: null }
  return { total: null, result: vms }
}

let time = 0
let pauses = 0
const run = async (text: string) => {
  asked.length = 0
  return runScript(parseScript(text), { answer, sliceMs: 5, now: () => time++, pause: async () => void pauses++ })
}
const plain = async (text: string) => JSON.parse(JSON.stringify(await run(text))) as unknown
const failure = async (text: string) => {
  const error = await run(text).then(
    () => undefined,
    (thrown: SkerryError) => thrown,
  )
  return { code: error?.code, message: error?.message ?? 'nothing was wrong' }
}

/** The value of an expression, `vms` being what a query found. */
const valueIs = async (expression: string) =>
  ((await plain(`def vms = query('QueryVmInstance').result\nput('value', [${expression}])`)) as { value: unknown[] }).value[0]

describe('scripts', () => {
  it('ask and put: query, zql, call', async () => {
    const answered = await plain(`
      // the total, and who runs where
      def total = query("QueryVmInstance count=true").total
      put("total", total)
      def vms = query("QueryVmInstance limit=3").result
      vms.each { vm ->
        if (vm.hostUuid != null) {
          vm.host = query("QueryHost uuid=\${vm.hostUuid} fields=name").result[0]
        } else
          vm.host = [name: 'nowhere']
      }
      put("where", vms.collect { "$it.name on \${it.host.name}" })
      put "zql", zql('count vminstance')[0].total
      put("called", call('GetVersion', '{"a": 1}').result)`)
    expect(answered).toEqual({
      total: 3,
      where: ['web on host-1', 'db on host-2', 'spare on nowhere'],
      zql: 3,
      called: { api: 'GetVersion', a: 1 },
    })
    expect(asked.map((ask) => (ask.ask === 'call' ? ask.params : ask.text))).toEqual(['QueryVmInstance count=true', 'QueryVmInstance limit=3', 'QueryHost uuid=h1 fields=name', 'QueryHost uuid=h2 fields=name', 'count vminstance', '{"a": 1}']) // biome-ignore format: one line
    expect(vms[0]).not.toHaveProperty('host')
  })

  it('leave with return, and have functions of their own', async () => {
    expect(await plain("put('a', 1); return; put('b', 2)")).toEqual({ a: 1 })
    expect(await plain("def big = { vm -> if (vm.cpuNum > 3) return 'big'\n 'small' }\nput('sizes', query('x').result.collect(big))\nput('one', big([cpuNum: 9]))")).toEqual({ sizes: ['small', 'big', 'small'], one: 'big' }) // biome-ignore format: one line
    expect(await plain("n = 5\n-3\nm = (5\n-3)\nput('n', [n, m])"), 'a line is a statement').toEqual({ n: [5, 2] })
    expect(await plain('n = 0\nfor (vm in query("x").result) { n += vm.cpuNum }\nput("n", n)')).toEqual({ n: 7 })
    expect(await plain('def f = { x -> for (y in x) { if (y > 1) return y }\n 0 }\nput("f", f([1, 2, 3]))')).toEqual({ f: 2 })
  })

  it('answer with copies, without the nulls, times being times', async () => {
    const { rows, list, date } = await run("def r = query('x').result\nput('rows', r)\nput('list', [null, [a: null]])\nput('date', r[1].createDate)") // biome-ignore format: one line
    expect(date).toEqual(new Moment(9))
    expect(list).toEqual([null, {}])
    expect((rows as object[])[0]).not.toBe(vms[0])
  })

  it.each([
    ['1 + 2 * 3 - 4 / 2', 5],
    ['(1 + 2) * 3 % 5', 4],
    ['-3 + 1', -2],
    ["'a' + 1 + null", 'a1null'],
    ["'it''s' + \"$\"", undefined],
    ["'\\'' + \"\\$x\" + '$x'", "'$x$x"],
    ['"${vms.size()} VMs, ${vms[0].name.toUpperCase()}${"!"}"', '3 VMs, WEB!'],
    ['"""a\n"b" ${1}"""', 'a\n"b" 1'],
    ["'''x'y'''", "x'y"],
    ['"$vms.name"', '[web, db, spare]'],
    ['vms.name', ['web', 'db', 'spare']],
    ['vms*.uuid', ['a', 'b', 'c']],
    ['vms.hostUuid', ['h1', 'h2', null]],
    ['vms.vmNics.ip', [['10.0.0.1', '10.0.0.2'], [], ['10.0.0.3']]],
    ['vms.vmNics.ip.flatten().join(",")', '10.0.0.1,10.0.0.2,10.0.0.3'],
    ['vms[-1].name', 'spare'],
    ["vms[0]['name']", 'web'],
    ["vms[0].'name'", 'web'],
    ['vms[7]', null],
    ['vms[7]?.name', null],
    ['vms[7]?.name?.size()', null],
    ['vms.findAll { it.cpuNum > 1 }.name', ['db', 'spare']],
    ['vms.find { it.cpuNum > 9 }', null],
    ["vms.find { it.name == 'db' }.uuid", 'b'],
    ['vms.collectEntries { [it.uuid, it.cpuNum] }', { a: 1, b: 4, c: 2 }],
    ['vms.groupBy { it.cpuNum > 1 }.true.size()', 2],
    ['vms.sort { -it.cpuNum }.uuid', ['b', 'c', 'a']],
    ['vms.sort { it.createDate }.uuid', ['a', 'c', 'b']],
    ['vms[0].createDate < vms[1].createDate', true],
    ['vms.createDate.max() == vms[1].createDate', true],
    ['"${vms[0].createDate}"', '1970-01-01T00:00:00.005Z'],
    ['vms.any { it.cpuNum == 4 } && !vms.every { it.hostUuid }', true],
    ['vms.cpuNum.sum()', 7],
    ['[vms.cpuNum.max(), vms.cpuNum.min()]', [4, 1]],
    ['[3, 1, 2, 1].unique().sort().reverse()', [3, 2, 1]],
    ['[1, 2, 3].take(2) + [1, 2, 3].drop(2) + 4', [1, 2, 3, 4]],
    ['[a: 1, "b": 2, c: [:]].findAll { k, v -> v }', { a: 1, b: 2 }],
    ['[a: 1] + [b: 2]', { a: 1, b: 2 }],
    ['[a: 1].collect { "${it.key}=${it.value}" }', ['a=1']],
    ['[a: 1].containsKey("b") ? "has" : "lacks"', 'lacks'],
    ["null ?: '' ?: 'neither'", 'neither'],
    ["'b' in ['a', 'b']", true],
    ["'a,b'.split(',').size()", 2],
    ["'12'.toInteger() + 1", 13],
    ["' a-b '.trim().replace('-', '+')", 'a+b'],
    ['null == null && 1 != null', true],
    ['{ a, b -> a + b }.call(1, 2)', 3],
    ['vms\n  .findAll {\n    it.cpuNum < 3\n  }\n  .size()', 2],
  ])('%s', async (expression, expected) => {
    if (expected === undefined) expect((await failure(`put('value', ${expression})`)).code).toBe('malformed-request')
    else expect(await valueIs(expression)).toEqual(expected)
  })
})

describe('queries of scripts', () => {
  it.each([
    ['QueryVmInstance', { q: [] }],
    ['queryvminstance  name=web cpuNum>1 ', { q: ['name=web', 'cpuNum>1'] }],
    ['QueryHost uuid?=a,b name!~=x%', { q: ['uuid?=a,b', 'name!~=x%'] }],
    ['QueryHost a=null b!=null name=nullable', { q: ['a is null', 'b not null', 'name=nullable'] }],
    ['X fields=a,b limit=1 start=2 count=true', { q: [], fields: 'a,b', limit: '1', start: '2', count: 'true' }],
    ['X sortBy=name', { q: [], sort: '+name' }],
    ['X sortBy=name sortDirection=desc replyWithCount=true', { q: [], sort: '-name', replyWithCount: 'true' }],
  ])('%s', (text, params) => {
    const found = askedQuery(text)
    expect([found.api, found.params]).toEqual([text.trim().split(/\s/)[0], params])
  })

  it.each([[' '], ['X name'], ['X sortBy=a sortDirection=up']])('%j is refused', (text) => {
    expect(() => askedQuery(text)).toThrow(/invalid query string|sortDirection/)
  })
})

describe('mistakes', () => {
  it.each([
    ['put("a", b)', 'No such property: b, error at line 1: put("a", b)'],
    ['def total = 1\nput("a",\n  totla)', 'No such property: totla; did you mean total?, error at line 3: totla)'],
    ['null.name', "Cannot get property 'name' on null object"],
    ['[1].naem()', 'a list has no method naem'],
    ['[1].colect { it }', 'did you mean collect?'],
    ['"a".each { it }', 'a text has no method each'],
    ['[1].each(2)', 'each takes a closure'],
    ['1 + [a: 1]', '+ takes numbers, not a map'],
    ['1 < "a"', 'cannot compare a number with a text'],
    ['[] == []', '== compares numbers, texts, times and truth, not a list'],
    ['1 / 0', 'Division by zero'],
    ['system("rm")', 'there is no system of 1 values; there are query(text)'],
    ['"".getClass()', 'a text has no method getClass'],
    ['put.constructor("x")', 'No such property: put'],
    ['put("f", { it })', "a closure can't stand in what a script puts"],
    ['def l = []\nl << l\nput("l", l)', 'at most 64 levels deep'],
    ['def l = []\nl << l\nput("l", l.x)', 'more than 64 levels inside each other'],
    ['"${[a: 1]}"', "a map can't stand in a text"],
  ])('%s: %s', async (text, message) => {
    expect(await failure(text)).toEqual({ code: 'invalid-argument', message: expect.stringContaining(message) })
  })

  it.each([
    ['put("a"', "unexpected '<EOF>', expecting ')'"],
    ['def 1', 'expecting a name'],
    ['while (true) {}', 'there is no while in batch queries'],
    ['def x = new File("/etc/passwd")', 'there is no new in batch queries'],
    ['@groovy.transform.ASTTest(value={})\ndef x', 'unexpected character "@"'],
    ['import java.lang.Runtime', 'there is no import'],
    ['put("a, 1)', 'a quote " that is not closed, error at line 1'],
    ['"${a"', 'a brace ${ that is not closed'],
    ['1 = 2', 'a name or a field before ='],
    ['a b', 'expecting the end of the line'],
    ['"${1 2}"', "unexpected '2', expecting }"],
    ['[1, 2', "expecting ']'"],
    ['x.', 'expecting a name'],
  ])('%s: %s', async (text, message) => {
    expect(await failure(text)).toEqual({ code: 'malformed-request', message: expect.stringContaining(message) })
  })

  it('of the site are told with the line, or as they are', async () => {
    const refused = new Error('the site says no')
    const script = parseScript("put('a', 1)\nquery('x')")
    await expect(runScript(script, { answer: () => Promise.reject(refused), sliceMs: 5, now: () => 0, pause: async () => {} })).rejects.toBe(refused) // biome-ignore format: one line
  })

  it('no key is more than a key', async () => {
    const { m } = await run("def m = [:]\nm['__proto__'] = [polluted: 1]\nm.constructor = 2\nput('m', m)")
    expect(Object.keys(m as object)).toEqual(['__proto__', 'constructor'])
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    expect(await valueIs("vms[0]['__proto__'] == null && vms[0].constructor == null")).toBe(true)
  })
})

describe('scripts that would not end or not fit', () => {
  it.each([
    ['text that doubles', `s = 'xxxxxxxx'\n${'s = s + s\n'.repeat(60)}`, 'a text may have at most 1048576 characters'],
    ['list that doubles', `l = [1]\n${'l = l + l\n'.repeat(60)}`, 'at most 500000 steps'],
    ['lists in lists', `l = [1]\n${'l = [l, l]\n'.repeat(40)}put("l", l)`, 'too many values in what a script puts'],
    ['lists in lists made flat', `l = [1]\n${'l = [l, l]\n'.repeat(40)}put("l", l.flatten())`, 'at most 500000 steps'],
    ['fields of lists in lists', `l = [[a: 1]]\n${'l = [l, l]\n'.repeat(40)}put("l", l.a)`, 'at most 500000 steps'],
    [
      'a text of many texts',
      `s = '${'x'.repeat(2000)}'\nl = [s]\n${'l = l + l\n'.repeat(12)}put("l", l.join(','))`,
      'a text may have at most',
    ],
    ['a replacement', `s = '${'x'.repeat(2000)}'\ns = s.replace('x', s)`, 'a text may have at most'],
    ['a function that calls itself', 'def f = null\nf = { x -> f(x) }\nf(1)', 'more than 200 calls inside each other'],
    ['loops in loops', `l = [1,2,3,4,5,6,7,8,9,10]\n${'l.each { '.repeat(8)}1${' }'.repeat(8)}`, 'at most 500000 steps'],
    ['questions in loops', `l = [1]\n${'l = l + l\n'.repeat(11)}l.each { call('x', '{}') }`, 'at most 1000 times'],
    ['a long sum', `put('s', ${'1 + '.repeat(5000)}1)`, 'more than 200 calls'],
  ])('%s', async (_, text, message) => {
    const { message: found } = await failure(text)
    expect(found).toContain(message)
  })

  it('too deep and too long to read', async () => {
    expect((await failure(`${'('.repeat(5000)}1`)).message).toContain('more than 64 levels')
    expect((await failure(`${'['.repeat(5000)}`)).message).toContain('more than 64 levels')
    expect((await failure(`${'!'.repeat(5000)}1`)).message).toContain('more than 64 levels')
    expect((await failure(`${'"${'.repeat(5000)}`)).code).toBe('malformed-request')
    expect((await failure(`${'if (1) '.repeat(5000)}1`)).message).toContain('more than 64 levels')
    expect((await failure(' '.repeat(70_000))).message).toContain('65536 characters')
  })

  it('lets other work run meanwhile', async () => {
    pauses = 0
    await run(`l = [1,2,3,4,5,6,7,8,9,10]\n${'l.each { '.repeat(4)}1${' }'.repeat(4)}`)
    expect(pauses).toBeGreaterThan(3)
  })
})
