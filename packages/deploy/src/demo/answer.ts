/** Waits until a guest answers over HTTP from its router's namespace: then it has its lease, and its network works. */
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

/** What the guest said. */
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
