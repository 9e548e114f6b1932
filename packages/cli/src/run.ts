/** One command line from start to exit code. */
import { CommanderError } from 'commander'
import { exitCodeOf, exitCodes, failureText } from './failure.ts'
import type { Io } from './io.ts'
import { buildProgram, type Outcome } from './program.ts'
import { verbs } from './verbs.ts'

/** In no help: the completion script of a shell calls it. */
const ASKED_BY_SHELLS = '__complete'

const GLOBALS = new Set(['--context', '-o', '--output'])

/**
 * What every command takes may stand before it too, as people know it from kubectl: `skerry --context ship get vm`. It goes behind
 * the verb and the noun, where the commands declare it.
 */
export function globalsBehind(argv: readonly string[]): string[] {
  let at = 0
  while (at < argv.length) {
    const arg = argv[at]!
    if (GLOBALS.has(arg)) at += 2
    else if ([...GLOBALS].some((name) => arg.startsWith(`${name}=`))) at += 1
    else break
  }
  const rest = argv.slice(at)
  // not at the end: what comes last may be a command for a guest
  const behind = verbs().includes(rest[0] ?? '') ? 2 : 1
  return [...rest.slice(0, behind), ...argv.slice(0, at), ...rest.slice(behind)]
}

/** `argv`: without node and script. Never throws; what went wrong is on stderr. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const outcome: Outcome = { doing: 'cannot do that' }
  try {
    if (argv[0] === ASKED_BY_SHELLS) {
      await (await import('./commands/completion.ts')).complete(io, argv.slice(1))
      return exitCodes.ok
    }
    const args = globalsBehind(argv)
    await buildProgram(io, args, outcome).parseAsync(args, { from: 'user' })
    return outcome.exitCode ?? exitCodes.ok
  } catch (error) {
    // commander has already written what it has to say
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    io.err(`${failureText(outcome.doing, error)}\n`)
    return exitCodeOf(error)
  }
}
