/** `skerry completion <shell>` prints a script; `skerry __complete <shell> …` is what that script asks at each key press. */
import { candidatesOf } from '../completion/candidates.ts'
import { completionScripts, type Shell } from '../completion/scripts.ts'
import { type Candidate, type Wanted, wantedOf } from '../completion/wanted.ts'
import { forBash, wordsOf } from '../completion/words.ts'
import type { Io } from '../io.ts'
import { buildProgram } from '../program.ts'

export function printScript(io: Io, shell: Shell): void {
  io.out(completionScripts[shell])
}

/** For a person who types, an error would be noise on the line: no answer says that there is nothing to offer. */
async function silently(io: Io, wanted: Wanted): Promise<Candidate[]> {
  try {
    return await candidatesOf(io, wanted)
  } catch {
    return [] // the controller is away, or refuses
  }
}

/** `argv`: the shell's name, then for bash the line up to the cursor and its word breaks, else the words up to the cursor. */
export async function complete(io: Io, [shell, ...rest]: readonly string[]): Promise<void> {
  const [line = '', breaks = ''] = rest
  const words = shell === 'bash' ? wordsOf(line).slice(1) : rest
  const wanted = wantedOf(buildProgram(io, words, { doing: '' }), words)
  if ('anyOf' in wanted.values && wanted.values.anyOf === 'files') return io.out('files')
  const found = await silently(io, wanted)
  const typed = wanted.before + wanted.typed
  const shown = found.map(({ value, about }) =>
    shell === 'bash' ? forBash(value, typed, breaks) : about ? `${value}\t${about}` : value,
  )
  io.out([wanted.open ? 'nospace' : 'space', ...shown].join('\n'))
}
