/** Workflows that an operator declares, as YAML: one file each. What is wrong in one is said with its file and line, and nothing starts. */
import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Row, SkerryError } from '@skerry/contract'
import { type Declaration, type Definition, type Problem, readDeclaration, readDefinition } from '@skerry/workflow'
import { type Document, isNode, LineCounter, parseDocument } from 'yaml'
import { actions } from './index.ts'

export interface DeclarationFile {
  file: string
  text: string
}

export interface Declarations {
  byWorkflow: ReadonlyMap<string, Declaration>
  /** workflows of the site, by name */
  defined: ReadonlyMap<string, Definition>
  /** The error with files and lines, where it is about one of these. */
  located(error: unknown): unknown
}

interface Read {
  file: string
  lineOf(path: Problem['path']): number
}

/** The files (*.yaml, *.yml) of a folder, in the order of their names. Throws `invalid-argument` where there are none. */
export async function findDeclarations(given: string): Promise<DeclarationFile[]> {
  const path = resolve(given)
  const bad = (why: string, cause?: unknown) => new SkerryError('invalid-argument', `--workflows: ${why}`, { path }, { cause })
  try {
    const names = (await readdir(path)).filter((name) => /\.ya?ml$/.test(name)).sort()
    if (names.length > 0)
      return await Promise.all(
        names.map(async (name) => ({ file: join(path, name), text: await readFile(join(path, name), 'utf8') })),
      )
  } catch (error) {
    throw bad(`${path} can't be read: it must be a folder of files`, error)
  }
  throw bad(`there is no workflow (*.yaml, *.yml) in ${path}`)
}

/** What the files say. Throws `invalid-argument` with `details.problems` (`{ file, line, message }`) where one says what can't be. */
export function readDeclarations(files: readonly DeclarationFile[]): Declarations {
  const byWorkflow = new Map<string, Declaration>()
  const defined = new Map<string, Definition>()
  const read = new Map<string, Read>()
  for (const { file, text } of files) {
    const one = readOne(file, text)
    const [workflow, key] = 'definition' in one ? [one.definition.define, 'define'] : [one.declaration.workflow, 'workflow']
    const first = read.get(workflow)?.file
    if (first !== undefined)
      throw wrong([{ ...at(one, [key]), message: `${workflow} is declared in ${first} already: keep one of the two` }])
    if ('definition' in one) defined.set(workflow, one.definition)
    else byWorkflow.set(workflow, one.declaration)
    read.set(workflow, one)
  }
  const own = [...defined.keys()].find((name) => actions.has(name))
  if (own !== undefined)
    throw wrong([
      {
        ...at(read.get(own)!, ['define']),
        message: `${own} is a workflow of ours: give yours another name, or change that by workflow: ${own}`,
      },
    ])
  return { byWorkflow, defined, located: (error) => located(error, read) }
}

function readOne(file: string, text: string): Read & ({ declaration: Declaration } | { definition: Definition }) {
  const lines = new LineCounter()
  const doc = parseDocument(text, { lineCounter: lines })
  const [fault] = doc.errors
  if (fault) throw wrong([{ file, line: lines.linePos(fault.pos[0]).line, message: fault.message.split('\n')[0]! }], fault)
  const one: Read = { file, lineOf: (path) => lines.linePos(startOf(doc, path)).line }
  const json = jsonOf(doc, one)
  const defines = typeof json === 'object' && json !== null && 'define' in json
  const given = defines ? readDefinition(json) : readDeclaration(json)
  if ('problems' in given) throw wrong(given.problems.map((problem) => ({ ...at(one, problem.path), message: told(problem) })))
  return { ...one, ...given }
}

function jsonOf(doc: Document, one: Read): unknown {
  try {
    return doc.toJS()
  } catch (error) {
    throw wrong([{ ...at(one, []), message: `it can't be read: ${(error as Error).message}` }], error)
  }
}

const told = ({ path, message }: Problem) => (path.length === 0 ? message : `${path.join('.')}: ${message}`)
const at = ({ file, lineOf }: Read, path: Problem['path']) => ({ file, line: lineOf(path) })

/** Where the value begins, or the innermost one around it that is there. */
function startOf(doc: Document, path: Problem['path']): number {
  for (let depth = path.length; depth >= 0; depth--) {
    const node = doc.getIn(path.slice(0, depth), true)
    if (isNode(node) && node.range) return node.range[0]
  }
  return 0
}

interface Located {
  file: string
  line: number
  message: string
}

function wrong(problems: readonly Located[], cause?: unknown): SkerryError {
  const message = problems.map((one) => `${one.file}:${one.line}: ${one.message}`).join('\n')
  const { file, line } = problems[0]!
  return new SkerryError('invalid-argument', message, { file, line, problems: problems as unknown as Row[] }, { cause })
}

function located(error: unknown, read: ReadonlyMap<string, Read>): unknown {
  if (!(error instanceof SkerryError)) return error
  const { workflow, problems } = error.details as { workflow?: string; problems?: Problem[] }
  const one = read.get(workflow ?? '')
  if (!one || !problems) return error
  return wrong(
    problems.map(({ path, message }) => ({ ...at(one, path), message: `${workflow}: ${message}` })),
    error,
  )
}
