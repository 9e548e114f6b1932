/** The commands that are more than one call: sessions, consoles, events, audit, doctor, NATS, jobs, agent tokens, keys. */
import { Argument, type Command, Option } from 'commander'

import type { Io } from './io.ts'
import { addKeeping } from './keeping.ts'
import { addLooking } from './looking.ts'
import { type Outcome, withGlobals } from './program.ts'
import { addReaching } from './reaching.ts'
import { addSimulating } from './simulating.ts'

/** Runs a command's action and keeps what it was doing and its exit code. */
export type Run = (doing: string, action: () => Promise<unknown>) => Promise<void>

function addSession(program: Command, io: Io, run: Run): void {
  const login = program
    .command('login')
    .description('log in and keep the session in a context')
    .option('--url <url>', 'of the controller')
    .option('--account <name>', 'who', 'admin')
    .option('--user <name>', 'of that account')
    .option('--password <password>', 'seen by everyone on this machine: rather use')
    .option('--password-file <path>')
    .option('--context <name>', 'kept under this name')
    .option('--ca <path>', "PEM file of the site's CA")
    .option('--nats-url <url>', 'kept for skerry nats')
    .option('--creds <path>', 'NATS credentials, kept')
    .option('--nats-ca <path>', 'PEM file, kept')
    .option('--ssh-key <path>', 'private key that guests take, kept for skerry ssh')
  login.action(() => run('cannot log in', async () => (await import('./commands/login.ts')).login(io, login.opts())))
  const logout = program.command('logout').description('end the session of a context').option('--context <name>')
  logout.action(() => run('cannot log out', async () => (await import('./commands/login.ts')).logout(io, logout.opts())))
}

function addWatching(program: Command, io: Io, run: Run): void {
  const console = withGlobals(
    program
      .command('console')
      .description("a VM's serial console; Ctrl-] leaves")
      .argument('<vm>', 'name or uuid')
      .option('--web', 'print the address of a page for a browser instead, good once and for a minute')
      .option('--vnc', 'of its screen (with --web)')
      .option('--proxy <url>', 'a console proxy other than the controller (with --web)'),
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
      .option('--since <since>', 'behind an event (its id), a time (2026-11-23T12:00:00Z) or a sequence')
      .option('--noun <noun>', 'only of these')
      .option('--uuid <uuid>', 'only of this one')
      .option('--event <event>', 'only these, such as created')
      .option('--account <name>', 'only what this account has done')
      .option('--job <uuid>', 'only of this job'),
  )
  events.action(() => run('cannot show events', async () => (await import('./commands/events.ts')).events(io, events.opts())))
  const status = withGlobals(program.command('status').description('the site at a glance, and what is wrong with it')).option(
    '--json',
    'as -o json',
  )
  status.action(() => run('cannot show the status', async () => (await import('./commands/status.ts')).status(io, status.opts())))
  const audit = withGlobals(
    program
      .command('audit')
      .description('compare what is recorded with what is there')
      .requiredOption('--hosts', 'with all hosts'),
  )
  audit.action(() => run('cannot audit', async () => (await import('./commands/audit.ts')).audit(io, audit.opts())))
}

function addHelping(program: Command, io: Io, run: Run): void {
  const support = program
    .command('support')
    .description('one archive to send when something is wrong; no secrets in it')
    .argument('[file]', 'default: skerry-support-<time>.tar.gz')
    .option('--context <name>')
    .option('--state-dir <path>', 'of the site (SKERRY_STATE_DIR; /var/lib/skerry)')
  support.action((file: string | undefined) =>
    run('cannot make a support bundle', async () => (await import('./commands/support.ts')).support(io, file, support.opts())),
  )
  const schema = program
    .command('schema')
    .description('the description of the API over HTTP (OpenAPI) or of all that is said on NATS (AsyncAPI), as JSON')
    .addArgument(new Argument('<which>').choices(['openapi', 'asyncapi']))
    .option('--context <name>')
  schema.action((which: 'openapi' | 'asyncapi') =>
    run(`cannot print ${which}`, async () => (await import('./commands/schema.ts')).schema(io, which, schema.opts())),
  )
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
  const call = withNats(
    nats
      .command('call')
      .description("call the controller's API over NATS, as over HTTP")
      .argument('<noun>', 'such as vm')
      .argument('<verb>', 'such as get, create, start')
      .argument('[params]', 'JSON; of a get: q, limit, fields …', '{}')
      .option('--resource <uuid>', 'which one', '-')
      .option('--wait', 'for the end of the job')
      .option('--dry-run', 'show what would happen, change nothing')
      .option('--job <uuid>', 'id of the job: the same again answers the first'),
  )
  call.action((noun: string, verb: string, params: string) =>
    run(`cannot ${verb} ${noun}`, async () => (await import('./commands/nats.ts')).call(io, { noun, verb, params }, call.opts())),
  )
  const services = withNats(nats.command('services').description('agents that answer'))
  services.action(() =>
    run('cannot list services', async () => (await import('./commands/nats.ts')).services(io, services.opts())),
  )
}

function addConformance(program: Command, io: Io, run: Run): void {
  const conformance = withNats(
    program
      .command('conformance')
      .description('try an agent of any make on a bus of its own: does it keep to the protocol?')
      .argument('[agent]', 'its uuid; default: the only one that beats')
      .option(
        '--sample <file>',
        'JSON: { document: { noun, schema, spec }, command: { noun, verb, input } } that it can make and knows',
      )
      .addOption(new Option('-o, --output <format>', 'form of the result').choices(['table', 'json']).default('table')),
  )
  conformance.action((agent: string | undefined) =>
    run('cannot try the agent', async () =>
      (await import('./commands/conformance.ts')).conformance(io, agent, conformance.opts()),
    ),
  )
}

function addJobs(program: Command, io: Io, run: Run): void {
  const job = program.command('job').description('follow or retry a job')
  const wait = withGlobals(job.command('wait').description('follow a job to its end').argument('<job>'))
  wait.action((uuid: string) =>
    run(`job ${uuid} failed`, async () => (await import('./commands/job.ts')).waitForJob(io, uuid, wait.opts())),
  )
  const retry = withGlobals(job.command('retry').description('try the undo of a stuck job again').argument('<job>'))
  retry.action((uuid: string) =>
    run(`cannot retry job ${uuid}`, async () => (await import('./commands/job.ts')).retryJob(io, uuid, retry.opts())),
  )
  const agent = program.command('agent').description('enrol and revoke agents')
  const token = withGlobals(
    agent.command('token').description('a one-time enrolment token').option('--ttl <time>', 'such as 15m or 24h'),
  )
  token.action(() => run('cannot make a token', async () => (await import('./commands/job.ts')).agentToken(io, token.opts())))
  const revoke = withGlobals(
    agent.command('revoke').description('cut an agent off now and refuse its credentials for ever').argument('<agent>'),
  )
  revoke.action((name: string) =>
    run(`cannot revoke ${name}`, async () => (await import('./commands/keys.ts')).revokeAgent(io, name, revoke.opts())),
  )
}

function addKeys(program: Command, io: Io, run: Run): void {
  const keys = program.command('keys').description('replace keys of the site while it works')
  const rotate = withGlobals(
    keys
      .command('rotate')
      .description('agents: each agent’s own; account: what signs them too; site: what secrets are kept under')
      .argument('<what>', 'agents, account or site')
      .option('--no-wait', 'do not follow it to its end; it goes on by itself'),
  )
  rotate.action((what: string) =>
    run(`cannot rotate ${what} keys`, async () => (await import('./commands/keys.ts')).rotateKeys(io, what, rotate.opts())),
  )
}

export function addFixedCommands(program: Command, io: Io, outcome: Outcome): void {
  const run: Run = async (doing, action) => {
    outcome.doing = doing
    const code = await action()
    if (typeof code === 'number') outcome.exitCode = code
  }
  addSession(program, io, run)
  addWatching(program, io, run)
  addReaching(program, io, run)
  addLooking(program, io, run)
  addHelping(program, io, run)
  addNats(program, io, run)
  addConformance(program, io, run)
  addJobs(program, io, run)
  addKeys(program, io, run)
  addKeeping(program, io, run)
  addSimulating(program, io, run)
}
