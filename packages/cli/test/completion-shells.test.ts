/** Completion in real shells, against a controller on a socket: what is typed, and what the shell makes of it. */
import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { SESSION } from '@skerry/controller/testing'
import { requireOrSkip } from '@skerry/testkit'
import { expect, test } from 'vitest'
import { completionScripts } from '../src/completion/scripts.ts'
import { world } from './cli-world.ts'

const run = promisify(execFile)

/** A folder, and an environment in which a shell finds the command line of the sources, a controller and a running VM `web 1`. */
async function asked(ask: (o: { folder: string; env: NodeJS.ProcessEnv }) => Promise<void>): Promise<void> {
  await world(async ({ app, engine }) => {
    engine.add('vmInstance', { name: 'web 1', state: 'Running' })
    const server = createServer(async (request, response) => {
      const headers = request.headers as Record<string, string>
      const answer = await app.fetch(new Request(`http://h${request.url}`, { headers }))
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const folder = mkdtempSync(join(tmpdir(), 'skerry-completion-'))
    const site = { SKERRY_URL: `http://127.0.0.1:${port}`, SKERRY_SESSION: SESSION, HOME: folder, FOLDER: folder }
    const program = { NODE: process.execPath, MAIN: new URL('../src/main.ts', import.meta.url).pathname }
    try {
      await ask({ folder, env: { ...process.env, ...site, ...program } })
    } finally {
      server.closeAllConnections()
      server.close()
      rmSync(folder, { recursive: true, force: true })
    }
  })
}

const BASH = `
compopt() { echo "compopt $*"; }
skerry() { "$NODE" --import tsx "$MAIN" "$@"; }
eval "$(cat)"
COMP_LINE="$1" COMP_POINT=\${#1} COMP_WORDS=(skerry)
_skerry
printf '%s\\n' "\${COMPREPLY[@]}"
complete -p skerry
`

test('bash', () =>
  asked(async ({ env }) => {
    const bash = run('bash', ['--norc', '-c', BASH, 'bash', 'skerry stop vm we'], { env })
    bash.child.stdin?.end(completionScripts.bash)
    expect((await bash).stdout).toBe('web\\ 1\ncomplete -F _skerry skerry\n')
  }))

const FISH = `
function skerry; $NODE --import tsx $MAIN $argv; end
source $FOLDER/skerry.fish
complete -C 'skerry stop vm we'
complete -C 'skerry stop vm x --type g'
`

test.skipIf(!requireOrSkip('completion in fish', { programs: ['fish'] }))('fish', () =>
  asked(async ({ folder, env }) => {
    writeFileSync(join(folder, 'skerry.fish'), completionScripts.fish)
    const { stdout } = await run('fish', ['--no-config', '-c', FISH], { env })
    const words = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t')[0])
    expect(words).toEqual(['web 1', 'grace'])
  }),
)

/** A shell at a terminal of its own, because zsh completes nowhere else. Whatever is typed is said to the function `skerry`. */
const ZSH_SETUP = `
autoload -Uz compinit && compinit -u -D
skerry() {
  if [[ "$1" == __complete ]]; then "$NODE" --import tsx "$MAIN" "$@"; else print -rl -- "$@" > "$FOLDER/said.part"; mv "$FOLDER/said.part" "$FOLDER/said"; fi
}
source "$FOLDER/skerry.zsh"
: > "$FOLDER/ready"
`
const ZSH = `
zmodload zsh/zpty
zpty -b shell 'exec zsh -f -i'
zpty -w shell 'source "$FOLDER/setup.zsh"'
while IFS= read -r line; do zpty -w shell "$line"; done
zpty -d shell
`

test.skipIf(!requireOrSkip('completion in zsh', { programs: ['zsh'] }))('zsh', () =>
  asked(async ({ folder, env }) => {
    writeFileSync(join(folder, 'skerry.zsh'), completionScripts.zsh)
    writeFileSync(join(folder, 'setup.zsh'), ZSH_SETUP)
    const keyboard = spawn('zsh', ['-f', '-c', ZSH], { env: { ...env, TERM: 'dumb' }, stdio: ['pipe', 'ignore', 'inherit'] })
    try {
      await there(join(folder, 'ready'))
      for (const [typed, said] of [
        ['skerry stop vm we\t', ['stop', 'vm', 'web 1']],
        ['skerry stop vm x --type g\t', ['stop', 'vm', 'x', '--type', 'grace']],
      ] as const) {
        keyboard.stdin.write(`${typed}\n`)
        expect((await there(join(folder, 'said'))).trimEnd().split('\n')).toEqual(said)
        rmSync(join(folder, 'said'))
      }
    } finally {
      keyboard.stdin.end()
      await new Promise((resolve) => keyboard.once('close', resolve))
    }
  }),
)

/** What stands in a file, once it is there. */
async function there(path: string): Promise<string> {
  for (const until = performance.now() + 20_000; performance.now() < until; )
    if (existsSync(path)) return readFileSync(path, 'utf8')
    else await new Promise((resolve) => setTimeout(resolve, 20))
  throw new Error(`${path} did not appear`)
}
