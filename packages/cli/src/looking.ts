/** Commands that explain: why something is as it is, what a job did, what takes how much; and completion for shells. */
import { SkerryError } from '@skerry/contract/errors'
import { Argument, type Command } from 'commander'
import { shells } from './completion/scripts.ts'
import type { Run } from './fixed.ts'
import type { Io } from './io.ts'
import { withGlobals } from './program.ts'

export function addLooking(program: Command, io: Io, run: Run): void {
  addWhy(program, io, run)
  const logs = withGlobals(
    program
      .command('logs')
      .description('what a VM has said on its serial port; with --job everything that is known of a job')
      .argument('[vm]', 'name or uuid')
      .option('--job <job>', 'uuid: steps, times, progress, errors, changes')
      .option('--lines <n>', 'of a VM: the last ones (200)')
      .option('--search <text>', 'of a VM: only lines that hold it, in any case'),
  )
  logs.action((vm?: string) =>
    run('cannot show the log', async () => {
      const commands = await import('./commands/logs.ts')
      await (vm === undefined ? commands.logs(io, logs.opts()) : commands.vmLog(io, vm, logs.opts()))
    }),
  )
  addPast(program, io, run)
  const top = withGlobals(
    program
      .command('top')
      .description('hosts, storages and VMs by what was given to them; Ctrl-C ends it')
      .option('--once', 'show it once; so does every output that is no terminal')
      .option('--interval <seconds>', 'between two looks', '2')
      .option('--limit <n>', 'VMs that are shown', '20'),
  )
  top.action(() => run('cannot show what is used', async () => (await import('./commands/top.ts')).top(io, top.opts())))
  addQuery(program, io, run)
  program
    .command('completion')
    .description('a script for your shell: eval "$(skerry completion bash)"')
    .addArgument(new Argument('<shell>').choices(shells))
    .action((shell: (typeof shells)[number]) =>
      run('cannot print the completion', async () => (await import('./commands/completion.ts')).printScript(io, shell)),
    )
}

function addQuery(program: Command, io: Io, run: Run): void {
  const query = withGlobals(
    program
      .command('query')
      .description('ask for anything: vm state=Running \'vmNics.ip~=10.%\', or ZQL: "query vminstance where …"')
      .argument('[words...]', 'a noun and conditions, or a ZQL text; quote what your shell would take for itself')
      .option('--explain', 'which indexes were used, how many rows were looked at')
      .option('--limit <n>', 'with conditions: at most so many')
      .option('--sort <field>', 'with conditions: +field or -field')
      .option('--fields <list>', 'with conditions: only these')
      .option('--count', 'with conditions: only how many')
      .option('--script <file>', 'a script of a batch query: query(…), zql(…), call(…), put(name, value)')
      .option('--count-conditions', 'how many different conditions can be asked at all')
      .option('--depth <n>', 'with --count-conditions: over at most so many relations', '4'),
  )
  query.action((words: string[]) =>
    run('cannot query', async () => (await import('./commands/query.ts')).query(io, words, query.opts())),
  )
}

function addWhy(program: Command, io: Io, run: Run): void {
  const why = withGlobals(
    program
      .command('why')
      .description(
        'why something is in its state: what is wrong, what it depends on, jobs, history; or why a call of it is denied',
      )
      .argument('[resource]', 'its noun; or noun/name, or the name or uuid of anything')
      .argument('[name]', 'name or uuid')
      .option('--calling <api>', 'why this call is allowed or denied, of it or at all: StopVmInstance')
      .option('--user <name>', 'with --calling: in the place of this user')
      .option('--account <name>', 'with --calling: in the place of this account'),
  )
  why.action((first: string | undefined, second: string | undefined) =>
    run(`cannot say why ${[first, second].filter(Boolean).join(' ') || 'that'} is so`, async () => {
      if (why.opts()['calling'] !== undefined) return (await import('./commands/may.ts')).calling(io, [first, second], why.opts())
      if (first === undefined) throw new SkerryError('invalid-argument', 'name a resource, or a call with --calling')
      return (await import('./commands/why.ts')).why(io, first, second, why.opts())
    }),
  )
}

function addPast(program: Command, io: Io, run: Run): void {
  const history = withGlobals(
    program
      .command('history')
      .description('who changed it, when, by which call and job, from what to what')
      .argument('<noun>')
      .argument('<name>', 'name or uuid; of what is deleted, its uuid')
      .option('--limit <n>', 'the newest so many'),
  )
  history.action((noun: string, name: string) =>
    run(`cannot show the history of ${noun} ${name}`, async () =>
      (await import('./commands/history.ts')).history(io, noun, name, history.opts()),
    ),
  )
  const diff = withGlobals(
    program
      .command('diff')
      .description('what became of the resources between two times')
      .requiredOption('--from <time>', 'such as 2026-11-23T12:00:00Z, or a sequence of the log')
      .option('--to <time>', 'default: now')
      .option('--noun <noun>', 'only these')
      .option('--uuid <uuid>', 'only this one')
      .option('--limit <n>', 'so many of them'),
  )
  diff.action(() => run('cannot compare two times', async () => (await import('./commands/history.ts')).diff(io, diff.opts())))
  const bill = withGlobals(
    program
      .command('bill')
      .description('what an account used in a time, and what that costs')
      .argument('<account>', 'name or uuid')
      .option('--from <time>', 'such as 2026-11-01; default: where the log begins')
      .option('--to <time>', 'default: now')
      .option('--csv', 'as a table for a spreadsheet'),
  )
  bill.action((account: string) =>
    run(`cannot make the bill of ${account}`, async () => (await import('./commands/bill.ts')).bill(io, account, bill.opts())),
  )
}
