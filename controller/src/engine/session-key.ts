/** Under which key a session stands in the graph. */
import { hash } from 'node:crypto'

/**
 * Who has the id of a session is its account, so the id itself is never recorded: of it only the first half of its SHA-256,
 * shaped as a uuid. Ids are random, so there is nothing to guess.
 */
export const sessionKey = (id: string): string => hash('sha256', `skerry session ${id}`).slice(0, 32)
