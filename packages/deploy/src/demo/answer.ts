/** Waits until a guest answers: then it has its lease, and its network works. */
import { type Row, routerNetns, SkerryError } from '@skerry/contract'
import type { Exec } from '@skerry/host'

const CEILING_MS = 120_000
const STEP_MS = 500

export interface AnswerPorts {
  exec: Exec
  sleep(ms: number): Promise<void>
  nowMs(): number
}

/** Address of a VM's first NIC. */
export function addressOf(vm: Row): string | undefined {
  const nics = vm['vmNics'] as { ip?: string | null }[] | undefined
  return nics?.[0]?.ip ?? undefined
}

/** What the guest said over HTTP, in its router's namespace. */
export async function waitForAnswer(
  { exec, sleep, nowMs }: AnswerPorts,
  l3NetworkUuid: string,
  address: string,
): Promise<string> {
  const netns = routerNetns(l3NetworkUuid)
  const until = nowMs() + CEILING_MS
  let last = ''
  while (nowMs() < until) {
    const { code, stdout, stderr } = await exec.run('curl', ['-sS', '--fail', '--max-time', '3', `http://${address}/`], {
      netns,
      timeoutMs: 10_000,
      okCodes: Array.from({ length: 256 }, (_, i) => i),
    })
    if (code === 0) return stdout.trim()
    last = stderr.trim().split('\n')[0] ?? ''
    await sleep(STEP_MS)
  }
  const remedy = 'skerry get vm, skerry console hello, and the logs of agent-kvm and agent-vrouter say more'
  throw new SkerryError('deadline-exceeded', `the guest did not answer at http://${address}/ within ${CEILING_MS / 1000} s`, {
    last,
    remedy,
  })
}

const LOGIN_MS = 15 * 60_000
const LOGIN_STEP_MS = 3_000

export interface LoginPorts {
  /** `skerry` with these arguments, to its end. */
  cli(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }>
  sleep(ms: number): Promise<void>
  nowMs(): number
  say(text: string): void
}

/** Waits until somebody can log in, the way a person would; what the guest said. A whole system boots for minutes without KVM. */
export async function waitForLogin({ cli, sleep, nowMs, say }: LoginPorts, name: string): Promise<string> {
  const began = nowMs()
  const quiet = ['--ssh-arg=-oBatchMode=yes', '--ssh-arg=-oConnectTimeout=15', '--ssh-arg=-oLogLevel=ERROR']
  let last = ''
  while (nowMs() - began < LOGIN_MS) {
    say(`boots, ${Math.round((nowMs() - began) / 1000)} s${last === '' ? '' : ` (${last})`}`)
    const { code, stdout, stderr } = await cli(['ssh', name, ...quiet, '--', 'uname', '-nsr'])
    if (code === 0) return stdout.trim()
    // the tunnel says what is in the way, ssh only that it has ended
    last =
      stderr
        .trim()
        .split('\n')
        .at(0)
        ?.replace(/^error: cannot connect to port \d+ of [0-9a-f]+: /, '') ?? ''
    await sleep(LOGIN_STEP_MS)
  }
  const remedy = `skerry logs ${name} shows what it says while it boots, skerry console ${name} talks to it`
  throw new SkerryError('deadline-exceeded', `nobody could log in to ${name} within ${LOGIN_MS / 60_000} minutes`, {
    last,
    remedy,
  })
}
