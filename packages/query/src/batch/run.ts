/**
 * Running a script: it asks its queries one after another, and what it puts is the answer. Bounded in steps, depth, questions and size,
 * because it comes from anybody; it runs in slices, so that nothing else waits for it.
 */
import { SkerryError } from '@skerry/contract'
import { closestWord } from '../closest.ts'
import { allowance, copied, sizeOf } from './copy.ts'
import { scriptError } from './lexer.ts'
import { method, type Running } from './methods.ts'
import { operators } from './operators.ts'
import type { Closure, Expr, Script, Statement } from './syntax.ts'
import { Callable, type Fields, isMap, isTrue, joined, kindOf, newMap, partOf, Scope, textOf, wrong } from './values.ts'

/** What a script asks of the site. Rows are taken as copies. */
export type Ask = { ask: 'query'; text: string } | { ask: 'zql'; text: string } | { ask: 'call'; api: string; params: string }

export interface BatchOptions {
  answer: (ask: Ask) => Promise<unknown>
  sliceMs: number
  /** Monotonic milliseconds. */
  now: () => number
  pause: () => Promise<void>
}

const MAX_STEPS = 500_000
const MAX_ASKED = 1000
const MAX_DEPTH = 200
const STRIDE = 256

/** What the script put, by name. Throws what a question throws, and `invalid-argument` with the line for what goes wrong in the script. */
export async function runScript(script: Script, options: BatchOptions): Promise<Fields> {
  const run = new Run(script).whole()
  let began = options.now()
  let step = run.next()
  while (!step.done) {
    if (step.value !== undefined) {
      const ask = step.value as Ask
      const answer = await options.answer(ask).then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      )
      step = 'error' in answer ? run.throw(answer.error) : run.next(answer.value)
      began = options.now()
    } else {
      if (options.now() - began >= options.sliceMs) {
        await options.pause()
        began = options.now()
      }
      step = run.next()
    }
  }
  return step.value
}

/** Leaves a closure or the script. */
class Returned {
  readonly value: unknown
  constructor(value: unknown) {
    this.value = value
  }
}

class Run {
  private readonly script: Script
  private readonly output = newMap()
  private steps = 0
  private asked = 0
  private depth = 0
  private pausedAt = 0
  private readonly left = allowance('the answers to a script')

  constructor(script: Script) {
    this.script = script
  }

  *whole(): Generator<unknown, Fields, unknown> {
    yield* this.body(this.script.body, new Scope())
    return (yield* copied(this.output, allowance('what a script puts'), true)) as Fields
  }

  /** Counts work. Throws where it is too much. */
  work(amount: number): void {
    this.steps += amount
    if (this.steps > MAX_STEPS) throw wrong(`a script may take at most ${MAX_STEPS} steps`)
  }

  /** The value of the last statement, or of `return`. */
  private *body(body: readonly Statement[], scope: Scope): Running {
    let value: unknown = null
    for (const statement of body) {
      value = yield* this.statement(statement, scope)
      if (value instanceof Returned) return value
    }
    return value
  }

  private *statement(s: Statement, scope: Scope): Running {
    if (s.is === 'do') return yield* this.value(s.of, scope)
    if (s.is === 'let') {
      scope.define(s.name, s.value ? yield* this.value(s.value, scope) : null)
      return null
    }
    if (s.is === 'set') return yield* this.set(s, scope)
    if (s.is === 'return') return new Returned(s.value ? yield* this.value(s.value, scope) : null)
    if (s.is === 'if') {
      const then = isTrue(yield* this.value(s.when, scope))
      return yield* this.body(then ? s.then : s.otherwise, new Scope(scope))
    }
    const list = yield* this.value(s.in, scope)
    if (!Array.isArray(list)) throw this.placed(wrong(`for … in takes a list, not a ${kindOf(list)}`), s.at)
    for (const one of [...list]) {
      const inner = new Scope(scope)
      inner.define(s.name, one)
      const value = yield* this.body(s.body, inner)
      if (value instanceof Returned) return value
    }
    return null
  }

  private *set({ target, op, value, at }: Statement & { is: 'set' }, scope: Scope): Running {
    const right = yield* this.value(value, scope)
    const result = op === '=' ? right : this.placing(at, () => operators['+'](this.current(target, scope), right))
    if (op === '+=') this.work(sizeOf(result))
    if (target.is === 'name') {
      // A name that nobody defined is the script's own, as in Groovy.
      ;(scope.holding(target.name) ?? scope).define(target.name, result)
      return result
    }
    const of = yield* this.value(target.of, scope)
    const key = yield* this.value(target.key, scope)
    if (isMap(of)) of[textOf(key)] = result
    else if (Array.isArray(of) && Number.isInteger(key) && (key as number) >= 0 && (key as number) <= of.length)
      of[key as number] = result
    else throw this.placed(wrong(`a ${kindOf(of)} has no place for ${textOf(key)}`), at)
    return result
  }

  /** What stands there, for `+=`. */
  private current(target: Expr, scope: Scope): unknown {
    if (target.is !== 'name') throw wrong('+= is for names: write a.b = a.b + c')
    return this.named(target.name, scope)
  }

  private named(name: string, scope: Scope): unknown {
    const holding = scope.holding(name)
    if (holding) return holding.get(name)
    const closest = closestWord(name, scope.known())
    throw wrong(`No such property: ${name}${closest ? `; did you mean ${closest}?` : ''}`)
  }

  private *value(e: Expr, scope: Scope): Running {
    this.placing(e.at, () => this.work(1))
    if (this.depth >= MAX_DEPTH) throw this.placed(wrong(`more than ${MAX_DEPTH} calls inside each other`), e.at)
    if (this.steps - this.pausedAt >= STRIDE) {
      this.pausedAt = this.steps
      yield
    }
    this.depth++
    try {
      return yield* this.computed(e, scope)
    } catch (error) {
      throw this.placed(error, e.at)
    } finally {
      this.depth--
    }
  }

  private *computed(e: Expr, scope: Scope): Running {
    switch (e.is) {
      case 'value':
        return e.value
      case 'name':
        return this.named(e.name, scope)
      case 'closure':
        return new Callable(e, scope)
      case 'list':
        return yield* this.values(e.items, scope)
      case 'text': {
        const text = joined((yield* this.values(e.parts, scope)).map(textOf))
        this.work(sizeOf(text))
        return text
      }
      case 'map': {
        const map = newMap()
        for (const [key, value] of e.entries) map[textOf(yield* this.value(key, scope))] = yield* this.value(value, scope)
        return map
      }
      case 'part': {
        const of = yield* this.value(e.of, scope)
        if (of === null && e.safe) return null
        return partOf(of, yield* this.value(e.key, scope), (amount) => this.work(amount))
      }
      case 'call':
        return yield* this.call(e, scope)
      case 'not':
        return !isTrue(yield* this.value(e.of, scope))
      case 'minus':
        return operators['-'](0, yield* this.value(e.of, scope))
      case 'choice': {
        const when = yield* this.value(e.when, scope)
        if (isTrue(when)) return e.then ? yield* this.value(e.then, scope) : when
        return yield* this.value(e.otherwise, scope)
      }
      case 'binary':
        return yield* this.binary(e, scope)
    }
  }

  private *values(all: readonly Expr[], scope: Scope): Generator<unknown, unknown[], unknown> {
    const values: unknown[] = []
    for (const one of all) values.push(yield* this.value(one, scope))
    return values
  }

  private *binary({ op, left, right }: Expr & { is: 'binary' }, scope: Scope): Running {
    const a = yield* this.value(left, scope)
    if (op === '&&') return isTrue(a) && isTrue(yield* this.value(right, scope))
    if (op === '||') return isTrue(a) || isTrue(yield* this.value(right, scope))
    const b = yield* this.value(right, scope)
    this.work(sizeOf(a) + sizeOf(b))
    return operators[op](a, b)
  }

  private *call(e: Expr & { is: 'call' }, scope: Scope): Running {
    if (e.of) {
      const of = yield* this.value(e.of, scope)
      if (of === null && e.safe) return null
      return yield* method(of, e.name, yield* this.values(e.args, scope), this)
    }
    const args = yield* this.values(e.args, scope)
    const own = scope.holding(e.name)?.get(e.name)
    if (own instanceof Callable) return yield* this.apply(own, args)
    return yield* this.builtIn(e.name, args)
  }

  private *builtIn(name: string, args: readonly unknown[]): Running {
    const [first, second] = args
    if (name === 'put' && args.length === 2) {
      this.output[textOf(first)] = second
      return second
    }
    if ((name === 'query' || name === 'zql') && args.length === 1) return yield* this.ask({ ask: name, text: textOf(first) })
    if (name === 'call' && args.length === 2) return yield* this.ask({ ask: 'call', api: textOf(first), params: textOf(second) })
    throw wrong(
      `there is no ${name} of ${args.length} values; there are query(text), zql(text), call(api, json), put(name, value)`,
    )
  }

  private *ask(ask: Ask): Running {
    if (++this.asked > MAX_ASKED) throw wrong(`a script may ask at most ${MAX_ASKED} times`)
    return yield* copied(yield ask, this.left)
  }

  *apply({ closure, scope }: Callable, args: readonly unknown[]): Running {
    const inner = new Scope(scope)
    const names: Closure['params'] = closure.params.length > 0 ? closure.params : ['it']
    for (const [i, name] of names.entries()) inner.define(name, args[i] ?? null)
    const value = yield* this.body(closure.body, inner)
    return value instanceof Returned ? value.value : value
  }

  private placing<T>(at: number, does: () => T): T {
    try {
      return does()
    } catch (error) {
      throw this.placed(error, at)
    }
  }

  /** With the line where it happened, once. */
  private placed(error: unknown, at: number): unknown {
    if (!(error instanceof SkerryError) || 'line' in error.details) return error
    const { message, details } = scriptError(this.script.text, at, error.message)
    return new SkerryError(error.code, message, { ...error.details, ...details }, { cause: error })
  }
}
