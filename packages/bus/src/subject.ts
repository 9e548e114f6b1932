/** Subjects and patterns: checks, matching, and an index from a subject to what listens to it. */
import { SkerryError } from '@skerry/contract'

/** nats-server has no limit of its own, but its protocol line has (4096 bytes by default) and carries two subjects. */
const MAX_SUBJECT_CHARS = 1024
const TOKEN = /^[^\s.*>\p{Cc}]+$/u

function bad(subject: string, why: string): SkerryError {
  return new SkerryError('invalid-argument', `a subject ${why}`, { subject: subject.slice(0, MAX_SUBJECT_CHARS) })
}

/** Throws `invalid-argument` unless messages can be sent to `subject`. (nats.js writes subjects into its protocol unchecked.) */
export function checkSubject(subject: string): void {
  if (subject.length > MAX_SUBJECT_CHARS) throw bad(subject, `may have ${MAX_SUBJECT_CHARS} characters`)
  if (!subject.split('.').every((t) => TOKEN.test(t))) throw bad(subject, 'must be dotted tokens without spaces and wildcards')
}

/** Throws `invalid-argument` unless `pattern` can be subscribed to: as a subject, but a token may be `*`, the last one `>`. */
export function checkPattern(pattern: string): void {
  if (pattern.length > MAX_SUBJECT_CHARS) throw bad(pattern, `may have ${MAX_SUBJECT_CHARS} characters`)
  const tokens = pattern.split('.')
  const ok = tokens.every((t, i) => t === '*' || (t === '>' && i === tokens.length - 1) || TOKEN.test(t))
  if (!ok) throw bad(pattern, 'pattern must be dotted tokens, * or a last >')
}

/** Whether every subject that `pattern` matches is matched by `allowed` too. A subject is a pattern without wildcards. */
export function covers(allowed: string, pattern: string): boolean {
  const a = allowed.split('.')
  const p = pattern.split('.')
  for (const [i, token] of a.entries()) {
    if (token === '>') return p.length > i
    const other = p[i]
    if (other === undefined || other === '>') return false
    if (token !== '*' && token !== other) return false
  }
  return a.length === p.length
}

interface Branch<T> {
  next: Map<string, Branch<T>>
  here: Set<T>
}

/** Which items listen to a subject: cost by the subject's length, not by how many listen (a site has thousands of patterns). */
export class SubjectTree<T> {
  readonly #root: Branch<T> = { next: new Map(), here: new Set() }

  add(pattern: string, item: T): void {
    let branch = this.#root
    for (const token of pattern.split('.')) {
      let next = branch.next.get(token)
      if (!next) {
        next = { next: new Map(), here: new Set() }
        branch.next.set(token, next)
      }
      branch = next
    }
    branch.here.add(item)
  }

  remove(pattern: string, item: T): void {
    const path: { branch: Branch<T>; token: string }[] = []
    let branch = this.#root
    for (const token of pattern.split('.')) {
      const next = branch.next.get(token)
      if (!next) return
      path.push({ branch, token })
      branch = next
    }
    branch.here.delete(item)
    for (const { branch: parent, token } of path.reverse()) {
      const child = parent.next.get(token)
      if (!child || child.here.size > 0 || child.next.size > 0) return
      parent.next.delete(token)
    }
  }

  match(subject: string): T[] {
    const found: T[] = []
    walk(this.#root, subject.split('.'), 0, found)
    return found
  }
}

function walk<T>(branch: Branch<T>, tokens: readonly string[], at: number, found: T[]): void {
  if (at === tokens.length) {
    found.push(...branch.here)
    return
  }
  const tail = branch.next.get('>')
  if (tail) found.push(...tail.here)
  const star = branch.next.get('*')
  if (star) walk(star, tokens, at + 1, found)
  const literal = branch.next.get(tokens[at] as string)
  if (literal) walk(literal, tokens, at + 1, found)
}
