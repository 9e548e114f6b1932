/**
 * Queues by resource: what may not happen at the same time to one resource happens in turn. A task that throws, never returns
 * or floods its queue stops no other queue, and a thrown error not even its own.
 */
import { SkerryError } from '@skerry/contract'
import { Deadlines, type QueueTimers } from './queue-deadlines.ts'

export interface TaskOptions {
  /** How many of the queue's tasks may run beside this one, itself included. Default 1: alone. */
  level?: number
  /** For people: what the task is. */
  label: string
  /** Time from now in which the task must have begun, else it is rejected unstarted. Reported as `overdue` if it runs past it. */
  deadlineMs?: number
  /** A task that waits in this queue under the same word stands for both, and answers both. One that runs doesn't: it may have read old state. */
  dedup?: string
}

export interface QueueFault {
  key: string
  label: string
  /** `threw`: the caller gets the error too. `overdue`: still running past its deadline. `flooded`: refused because too many wait. */
  kind: 'threw' | 'overdue' | 'flooded'
  error: unknown
}

export interface TaskView {
  label: string
  /** How long it has run, or waited. */
  forMs: number
}

export interface QueueView {
  key: string
  running: TaskView[]
  pending: TaskView[]
}

export interface QueuesPorts {
  /** Told of each fault; what it throws goes to the caller of the task at fault, and to nobody else. */
  onFault(fault: QueueFault): void
  timers: QueueTimers
  /** How many tasks may wait in one queue; more are refused with `too-many-requests`. Default 1000. */
  maxPending?: number
}

export interface Queues {
  /** Runs `fn` in its turn (FIFO by key) and settles as it does. */
  run<T>(key: string, fn: () => Promise<T> | T, options: TaskOptions): Promise<T>
  snapshot(): QueueView[]
}

interface Task {
  key: string
  fn(): unknown
  options: TaskOptions
  level: number
  sinceMs: number
  settled: Promise<unknown>
  resolve(value: unknown): void
  reject(error: unknown): void
}

interface Queue {
  running: Set<Task>
  /** In order of arrival. */
  pending: Set<Task>
}

/** Queues that come into being with their first task and go with their last. */
export function createQueues(ports: QueuesPorts): Queues {
  const queues = new ResourceQueues(ports)
  return {
    run: <T>(key: string, fn: () => Promise<T> | T, options: TaskOptions) => queues.add(key, fn, options) as Promise<T>,
    snapshot: () => queues.snapshot(),
  }
}

class ResourceQueues {
  readonly #queues = new Map<string, Queue>()
  readonly #ports: QueuesPorts
  readonly #maxPending: number
  readonly #deadlines: Deadlines<Task>

  constructor(ports: QueuesPorts) {
    this.#ports = ports
    this.#maxPending = ports.maxPending ?? 1000
    this.#deadlines = new Deadlines(ports.timers, (task) => this.#expire(task))
  }

  add(key: string, fn: () => unknown, options: TaskOptions): Promise<unknown> {
    let queue = this.#queues.get(key)
    if (queue === undefined) this.#queues.set(key, (queue = { running: new Set(), pending: new Set() }))
    const { dedup } = options
    for (const waiting of dedup === undefined ? [] : queue.pending) if (waiting.options.dedup === dedup) return waiting.settled
    const task = this.#task(key, fn, options)
    if (queue.pending.size >= this.#maxPending) {
      const error = new SkerryError(
        'too-many-requests',
        `cannot queue ${options.label}: ${queue.pending.size} tasks wait for ${key}`,
        { key, label: options.label },
      )
      this.#fault(task, 'flooded', error)
      return task.settled
    }
    queue.pending.add(task)
    const { deadlineMs } = options
    if (deadlineMs !== undefined && deadlineMs <= 0) this.#expire(task)
    else if (deadlineMs !== undefined) this.#deadlines.set(task, deadlineMs)
    this.#next(key, queue)
    return task.settled
  }

  snapshot(): QueueView[] {
    const now = this.#ports.timers.nowMs()
    const view = (tasks: Set<Task>) => [...tasks].map((task) => ({ label: task.options.label, forMs: now - task.sinceMs }))
    return [...this.#queues].map(([key, { running, pending }]) => ({ key, running: view(running), pending: view(pending) }))
  }

  #task(key: string, fn: () => unknown, options: TaskOptions): Task {
    let resolve!: (value: unknown) => void
    let reject!: (error: unknown) => void
    const settled = new Promise<unknown>((yes, no) => {
      resolve = yes
      reject = no
    })
    return {
      key,
      fn,
      options,
      level: Math.max(1, options.level ?? 1),
      sinceMs: this.#ports.timers.nowMs(),
      settled,
      resolve,
      reject,
    }
  }

  /** Starts what may start, in order: the head waits until everyone that runs, and itself, bears one more. */
  #next(key: string, queue: Queue): void {
    for (const task of queue.pending) {
      const level = Math.min(task.level, ...[...queue.running].map((other) => other.level))
      if (queue.running.size >= level) return
      queue.pending.delete(task)
      queue.running.add(task)
      void this.#start(queue, task)
    }
    if (queue.running.size === 0 && queue.pending.size === 0) this.#queues.delete(key)
  }

  async #start(queue: Queue, task: Task): Promise<void> {
    task.sinceMs = this.#ports.timers.nowMs()
    let settle: () => void
    try {
      // Not in the caller's turn, so that a task never runs before its caller holds the promise.
      await undefined
      const value = await task.fn()
      settle = () => task.resolve(value)
    } catch (error) {
      settle = () => this.#fault(task, 'threw', error)
    }
    this.#deadlines.clear(task)
    queue.running.delete(task)
    this.#next(task.key, queue)
    settle()
  }

  #expire(task: Task): void {
    const queue = this.#queues.get(task.key)
    const { label } = task.options
    const error = new SkerryError('deadline-exceeded', `${label} did not get its turn in the queue of ${task.key} in time`, {
      key: task.key,
      label,
    })
    if (queue?.pending.delete(task)) {
      task.reject(error)
      // The one behind may need less room than this one did.
      this.#next(task.key, queue)
    } else
      this.#fault(
        task,
        'overdue',
        new SkerryError('deadline-exceeded', `${label} runs past its deadline in the queue of ${task.key}`, error.details),
      )
  }

  #fault(task: Task, kind: QueueFault['kind'], error: unknown): void {
    let outcome = error
    try {
      this.#ports.onFault({ key: task.key, label: task.options.label, kind, error })
    } catch (cause) {
      outcome = new SkerryError('internal', `the fault handler failed for ${task.options.label}`, { kind }, { cause })
    }
    // A task that is merely overdue may still succeed.
    if (kind !== 'overdue' || outcome !== error) task.reject(outcome)
  }
}
