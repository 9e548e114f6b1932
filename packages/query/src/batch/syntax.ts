/** What a script of a batch query consists of, before anybody knows what its names mean. */

/** `at`: offset in the text. */
export type Expr = { at: number } & (
  | { is: 'value'; value: string | number | boolean | null }
  /** Text with values inside: `"uuid=${vm.uuid}"`. */
  | { is: 'text'; parts: readonly Expr[] }
  | { is: 'list'; items: readonly Expr[] }
  | { is: 'map'; entries: readonly (readonly [Expr, Expr])[] }
  | { is: 'name'; name: string }
  | Part
  /** A function, or with `of` a method. */
  | { is: 'call'; of?: Expr; name: string; args: readonly Expr[]; safe: boolean }
  | Closure
  | { is: 'not' | 'minus'; of: Expr }
  | { is: 'binary'; op: Binary; left: Expr; right: Expr }
  /** `a ? b : c`; without `then` `a ?: c`. */
  | { is: 'choice'; when: Expr; then?: Expr; otherwise: Expr }
)

/** `a.b`, `a[b]`, `a?.b`. */
export interface Part {
  is: 'part'
  of: Expr
  key: Expr
  safe: boolean
}

/** `{ vm -> vm.uuid }`; without parameters `it` is the one. */
export interface Closure {
  is: 'closure'
  params: readonly string[]
  body: readonly Statement[]
}

export type Statement = { at: number } & (
  | { is: 'let'; name: string; value?: Expr }
  | { is: 'set'; target: Expr & ({ is: 'name' } | { is: 'part' }); op: '=' | '+='; value: Expr }
  | { is: 'if'; when: Expr; then: readonly Statement[]; otherwise: readonly Statement[] }
  | { is: 'for'; name: string; in: Expr; body: readonly Statement[] }
  | { is: 'return'; value?: Expr }
  | { is: 'do'; of: Expr }
)

/** From the loosest to the tightest. */
export const precedence = [['||'], ['&&'], ['==', '!=', 'in'], ['<', '>', '<=', '>=', '<<'], ['+', '-'], ['*', '/', '%']] as const
export type Binary = (typeof precedence)[number][number]

/** A script that was understood. */
export interface Script {
  text: string
  body: readonly Statement[]
}
