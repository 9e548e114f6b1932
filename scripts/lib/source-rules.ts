/** Rules of size and form that a linter doesn't know. Pure. */
import { basename, dirname } from 'node:path'
import ts from 'typescript'
import type { SourceFile } from './packages.ts'

export const MAX_FILE_LINES = 300
export const MAX_FUNCTION_LINES = 50
export const MAX_PARAMETERS = 4
const VAGUE = /^(utils?|helpers?|common|types|misc)$/

type Callable =
  | ts.FunctionDeclaration
  | ts.MethodDeclaration
  | ts.ConstructorDeclaration
  | ts.ArrowFunction
  | ts.FunctionExpression

/** One line per breach, `path:line: what`. Program entry files alone read the environment. */
export function checkSource(file: SourceFile): string[] {
  const tree = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true)
  const lineOf = (pos: number) => tree.getLineAndCharacterOfPosition(pos).line + 1
  const breaches: string[] = []
  const say = (line: number, what: string) => breaches.push(`${file.path}:${line}: ${what}`)
  const lines = file.text.replace(/\n$/, '').split('\n').length
  if (lines > MAX_FILE_LINES) say(lines, `${lines} lines; a file has at most ${MAX_FILE_LINES}`)
  for (const part of [...dirname(file.path).split('/'), basename(file.path).split('.')[0] ?? ''])
    if (VAGUE.test(part)) say(1, `"${part}" says nothing; name it after what it does`)
  const visit = (node: ts.Node): void => {
    if (isCallable(node)) checkFunction(node, lineOf, say)
    if (ts.isCatchClause(node) && isSilent(node, file.text))
      say(lineOf(node.getStart()), 'an error is swallowed without a reason')
    if (readsEnvironment(node) && !isEntry(file.path)) say(lineOf(node.getStart()), 'only entry files read process.env')
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return breaches
}

const isCallable = (node: ts.Node): node is Callable =>
  ts.isFunctionDeclaration(node) ||
  ts.isMethodDeclaration(node) ||
  ts.isConstructorDeclaration(node) ||
  ts.isArrowFunction(node) ||
  ts.isFunctionExpression(node)

function checkFunction(node: Callable, lineOf: (pos: number) => number, say: (line: number, what: string) => void): void {
  if (!node.body) return
  const first = lineOf(node.getStart())
  const length = lineOf(node.end) - first + 1 - nestedLines(node.body, lineOf)
  const name = nameOf(node)
  if (length > MAX_FUNCTION_LINES) say(first, `${name} has ${length} lines; a function has at most ${MAX_FUNCTION_LINES}`)
  const parameters = node.parameters.filter((p) => p.name.getText() !== 'this').length
  if (parameters > MAX_PARAMETERS) say(first, `${name} has ${parameters} parameters; take one object beyond ${MAX_PARAMETERS}`)
}

/** Lines of functions inside it, which are measured by themselves: a port made of closures is not one long function. */
function nestedLines(body: ts.Node, lineOf: (pos: number) => number): number {
  let lines = 0
  const visit = (node: ts.Node): void => {
    if (isCallable(node)) lines += lineOf(node.end) - lineOf(node.getStart())
    else ts.forEachChild(node, visit)
  }
  ts.forEachChild(body, visit)
  return lines
}

function nameOf(node: Callable): string {
  if (ts.isConstructorDeclaration(node)) return 'the constructor'
  const name =
    node.name ?? (ts.isVariableDeclaration(node.parent) || ts.isPropertyAssignment(node.parent) ? node.parent.name : undefined)
  return name?.getText() ?? 'a function'
}

function isSilent(node: ts.CatchClause, text: string): boolean {
  return node.block.statements.length === 0 && !/\/[/*]/.test(text.slice(node.block.pos, node.block.end))
}

function readsEnvironment(node: ts.Node): boolean {
  return ts.isPropertyAccessExpression(node) && node.getText() === 'process.env'
}

/** `testkit/src/require.ts` must know whether it runs in CI, and no suite should have to tell it. */
const isEntry = (path: string) => /^(main|up|down|child)\.ts$/.test(basename(path)) || path.endsWith('testkit/src/require.ts')
