/** The commands that are more than one call: sessions, consoles, events, audit, doctor, NATS, jobs, agent tokens. */
import type { Command } from 'commander'
import type { Io } from './io.ts'
import { type Outcome, withGlobals } from './program.ts'

/** Runs a command's action and keeps what it was doing and its exit code. */
type Run = (doing: string, action: () => Promise<unknown>) => Promise<void>

function addSession(program: Command, io: Io, run: Run): void {
  const login = program
    .command('login')
    .description('log in and keep the session in a context')
    .option('--url <url>', 'of the controller')
    .option('--account <name>', 'who', 'admin')
    .option('--password <password>', 'seen by everyone on this machine: rather use')
    .option('--password-file <path>')
    .option('--context <name>', 'kept under this name')
    .option('--ca <path>', "PEM file of the site's CA")
    .option('--nats-url <url>', 'kept for skerry nats')
    .option('--creds <path>', 'NATS credentials, kept')
    .option('--nats-ca <path>', 'PEM file, kept')
  login.action(() => run('cannot log in', async () => (await import('./commands/login.ts')).login(io, login.opts())))
  const logout = program.command('logout').description('end the session of a context').option('--context <name>')
  logout.action(() => run('cannot log out', async () => (await import('./commands/login.ts')).logout(io, logout.opts())))
}

function addWatching(program: Command, io: Io, run: Run): void {
  const console = withGlobals(
    program.command('console').description("a VM's serial console; Ctrl-] leaves").argument('<vm>', 'name or uuid'),
  )
  console.action((vm: string) =>
    run(`cannot open the console of ${vm}`, async () =>
      (await import('./commands/console.ts')).openConsole(io, vm, console.opts()),
    ),
  )
  const events = withGlobals(
    program
      .command('events')
      .description('what happens')
      .option('-f, --follow', 'until Ctrl-C')
      .option('--since <id>', 'after this event'),
  )
  events.action(() => run('cannot show events', async () => (await import('./commands/events.ts')).events(io, events.opts())))
  const audit = withGlobals(
    program
      .command('audit')
      .description('compare what is recorded with what is there')
      .requiredOption('--hosts', 'with all hosts'),
  )
  audit.action(() => run('cannot audit', async () => (await import('./commands/audit.ts')).audit(io, audit.opts())))
  const doctor = withGlobals(program.command('doctor').description('what is wrong with this machine, and what helps'))
  doctor.action(() =>
    run('cannot examine this machine', async () => (await import('./commands/doctor.ts')).doctor(io, doctor.opts())),
  )
}

const withNats = (command: Command) =>
  command
    .option('--context <name>')
    .option('--nats-url <url>')
    .option('--creds <path>')
    .option('--ca <path>')
    .option('--inbox <prefix>', 'inbox prefix that the credentials allow')
    .option('--timeout <seconds>')

function addNats(program: Command, io: Io, run: Run): void {
  const nats = program.command('nats').description('look at the bus')
  const sub = withNats(nats.command('sub').description("print what is published, such as 'skerry.>'").argument('<pattern>'))
  sub.action((pattern: string) =>
    run(`cannot subscribe to ${pattern}`, async () => (await import('./commands/nats.ts')).sub(io, pattern, sub.opts())),
  )
  const req = withNats(
    nats.command('req').description('send a request').argument('<subject>').argument('[payload]', 'JSON', '{}'),
  )
  req.action((subject: string, payload: string) =>
    run(`cannot request ${subject}`, async () => (await import('./commands/nats.ts')).req(io, subject, payload, req.opts())),
  )
  const services = withNats(nats.command('services').description('agents that answer'))
  services.action(() =>
    run('cannot list services', async () => (await import('./commands/nats.ts')).services(io, services.opts())),
  )
}

function addJobs(program: Command, io: Io, run: Run): void {
  const job = program.command('job').description('follow or retry a job')
  const wait = withGlobals(job.command('wait').description('follow a job to its end').argument('<uuid>'))
  wait.action((uuid: string) =>
    run(`job ${uuid} failed`, async () => (await import('./commands/job.ts')).waitForJob(io, uuid, wait.opts())),
  )
  const retry = withGlobals(job.command('retry').description('try the undo of a stuck job again').argument('<uuid>'))
  retry.action((uuid: string) =>
    run(`cannot retry job ${uuid}`, async () => (await import('./commands/job.ts')).retryJob(io, uuid, retry.opts())),
  )
  const agent = program.command('agent').description('enrol agents')
  const token = withGlobals(
    agent.command('token').description('a one-time enrolment token').option('--ttl <time>', 'such as 15m or 24h'),
  )
  token.action(() => run('cannot make a token', async () => (await import('./commands/job.ts')).agentToken(io, token.opts())))
}

export function addFixedCommands(program: Command, io: Io, outcome: Outcome): void {
  const run: Run = async (doing, action) => {
    outcome.doing = doing
    const code = await action()
    if (typeof code === 'number') outcome.exitCode = code
  }
  addSession(program, io, run)
  addWatching(program, io, run)
  addNats(program, io, run)
  addJobs(program, io, run)
}
