/** The commands of a simulated site: how its machines behave. */
import type { Command } from 'commander'
import type { Run } from './fixed.ts'
import type { Io } from './io.ts'
import { collect, withGlobals } from './program.ts'

const withSite = (command: Command) =>
  withGlobals(command).option('--state-dir <path>', 'of the simulated site (SKERRY_STATE_DIR; $XDG_STATE_HOME/skerry-simulated)')

export function addSimulating(program: Command, io: Io, run: Run): void {
  const sim = program.command('sim').description('simulated machines: latency, failures, capacity (scripts/up --simulate)')
  const list = withSite(sim.command('list').description('the machines and how they behave'))
  list.action(() =>
    run('cannot list simulated machines', async () => (await import('./commands/sim.ts')).simList(io, list.opts())),
  )
  const operations = withSite(sim.command('operations').description('what --fail can name'))
  operations.action(() =>
    run('cannot list operations', async () => (await import('./commands/sim.ts')).simOperations(io, operations.opts())),
  )
  const set = withSite(sim.command('set').description('change how a machine behaves; what is not given stays'))
    .option('--host <host>', 'name or uuid of a host, or an address 127.x.y.z')
    .option('--all', 'every machine, and those that are still to come')
    .option('--latency <time>', 'before each operation on the machine, such as 200ms or 1.5s; 0 ends it')
    .option('--fail <operation=chance>', 'such as libvirt.domainCreate=0.1, qemuImg.*=1; 0 ends it; repeated', collect)
    .option('--cpus <n>', 'physical CPUs; seen at the next skerry reconnect host')
    .option('--memory <size>', 'such as 64G; seen at the next skerry reconnect host')
    .option('--disk <size>', 'such as 2T; seen at the next skerry reconnect primary-storage')
  set.action(() => run('cannot change the simulation', async () => (await import('./commands/sim.ts')).simSet(io, set.opts())))
}
