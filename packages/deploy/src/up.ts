/** `scripts/up` after its packages are there: takes this machine to a running site. Wiring: environment, ports, order of steps. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { realHost } from '@skerry/host'
import { layoutOf } from './layout.ts'
import { readUpSettings, type Settings, UP_USAGE } from './settings.ts'
import { failureText, runSteps, type ShownStep, table } from './show.ts'
import { controllerUrl } from './site/secrets.ts'
import { renewCa } from './steps/ca.ts'
import { checkPorts, installPrograms, prepareFolders, prepareKeys } from './steps/ground.ts'
import { buildDebianImage, buildImage, chooseLibvirt, findKvm } from './steps/machine.ts'
import { logOut, makeDemo, startGuests, writeContext } from './steps/person.ts'
import { openSession, startAgents, startCore } from './steps/services.ts'
import type { Step, Up } from './steps/state.ts'

const STEPS: readonly (readonly [string, Step])[] = [
  ['folders', prepareFolders],
  ['programs', installPrograms],
  ['ports', checkPorts],
  ['keys and certificates', prepareKeys],
  ['guest image', buildImage],
  ['KVM', findKvm],
  ['libvirt', chooseLibvirt],
  ['NATS, libvirt and controller', startCore],
  ['session', openSession],
  ['agents', startAgents],
  ['certificate authority', renewCa],
  ['command line', writeContext],
  ['guests that were running', startGuests],
]

async function main(settings: Settings): Promise<void> {
  const up: Up = {
    settings,
    layout: layoutOf(settings.stateDir),
    host: realHost(),
    node: process.execPath,
    dist: join(import.meta.dirname, '..'),
    configHome: process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'),
    systemd: await realHost()
      .files.stat('/run/systemd/system')
      .then((stat) => stat !== undefined),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    now: () => Date.now(),
    found: {},
  }
  const shown = ([title, step]: readonly [string, Step]): ShownStep => ({ title, run: (say) => step(up, say) })
  const debian: ShownStep = shown(['Debian guest', buildDebianImage])
  const demo: ShownStep = { ...shown(['demo', makeDemo]), ...(settings.demoCidr === undefined ? { skip: '--no-demo' } : {}) }
  const extra = settings.guest === 'debian' ? [debian] : []
  await runSteps([...STEPS.map(shown), ...extra, demo, shown(['end of session', logOut])], process.stdout.isTTY === true)
  process.stdout.write(summary(up))
}

function summary(up: Up): string {
  const { kvm, vm } = up.found
  const accelerated = kvm?.domainType === 'kvm'
  const power = accelerated
    ? 'KVM works.'
    : `Falling back to emulation (TCG), which is slower: ${kvm?.reason?.split('\n')[0] ?? 'no KVM'}`
  const guests = vm
    ? `\n${table([
        ['VM', 'STATE', 'ADDRESS', 'ANSWER'],
        [vm.name, vm.state, vm.address, vm.said.split('\n')[0] ?? ''],
      ])}\n`
    : ''
  const stopped = vm && vm.state !== 'Running' ? '\nhello is stopped: ./scripts/skerry start vm hello --wait\n' : ''
  const next = vm
    ? [vm.kind === 'debian' ? 'ssh hello' : 'console hello', 'stop vm hello --wait', 'start vm hello --wait', 'events -f']
    : ['doctor', 'get host', 'events -f']
  return [
    '',
    power,
    guests,
    stopped,
    `API      ${controllerUrl(up.settings)}  (account admin)`,
    `state    ${up.layout.root}, logs in ${up.layout.logs}`,
    '',
    'Try next:',
    ...['get vm', ...next, 'audit --hosts'].map((command) => `  ./scripts/skerry ${command}`),
    '',
  ].join('\n')
}

try {
  const settings = readUpSettings(process.argv.slice(2), process.env)
  if (settings === 'help') process.stdout.write(UP_USAGE)
  else await main(settings)
  process.exit(0)
} catch (error) {
  process.stderr.write(`\n${failureText(error)}\n`)
  process.exit(1)
}
