/** What the doors ask about rights: may this be called, and what is there for this caller. */
import type { Row } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Visible } from '@skerry/query'
import type { Call, Caller } from '../engine/port.ts'
import { thrownWithoutHosts } from '../place/told.ts'
import { aboutItself } from './caller.ts'
import { type Asking, checkMay, decide } from './decide.ts'
import { seenBy } from './seen.ts'
import { maySee } from './whose.ts'

export class Guard {
  readonly #graph: Graph

  constructor(graph: Graph) {
    this.#graph = graph
  }

  /** Throws what refuses the call; without `params` by its API alone. */
  authorize(asking: Asking): void {
    checkMay(this.#graph, asking)
  }

  /** What `of` gives for the call, which names the caller where it names nobody; what it throws is told as far as the caller may see. */
  async told<T>(given: Call, of: (call: Call) => Promise<T> | T): Promise<T> {
    try {
      return await of(aboutItself(given))
    } catch (error) {
      throw given.caller?.admin === false ? thrownWithoutHosts(error) : error
    }
  }

  /** The same for a call that must be allowed. */
  asked<T>(given: Call, of: (call: Call) => Promise<T> | T): Promise<T> {
    return this.told(given, (call) => {
      this.authorize(call)
      return of(call)
    })
  }

  /** Whether such a call is not refused. */
  may(asking: Asking): boolean {
    return decide(this.#graph, asking).allowed
  }

  /** The graph as the caller sees it: all of it where nobody or an administrator asks. */
  seen(caller: Caller | undefined): Graph {
    return caller?.admin === false ? seenBy(this.#graph, caller.accountUuid) : this.#graph
  }

  /** The same for the query engine; undefined: everything. */
  visible(caller: Caller | undefined): Visible | undefined {
    if (caller?.admin !== false) return undefined
    return (noun, row) => maySee(this.#graph, caller.accountUuid, noun, row)
  }

  seesJob(caller: Caller | undefined, uuid: string): boolean {
    return caller?.admin === true || this.seen(caller).get('job', uuid) !== undefined
  }

  /**
   * Whether an event is for the caller: of what was its own then, or of what it may see now and was nobody else's then. Also what was
   * deleted is told to its owner.
   */
  hears(caller: Caller, { noun, uuid, account }: Row): boolean {
    if (caller.admin || account === caller.accountUuid) return true
    return account === undefined && this.seen(caller).get(String(noun), String(uuid)) !== undefined
  }
}
