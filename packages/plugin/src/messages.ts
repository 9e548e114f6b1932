/** What controller and plugin process say to each other: one JSON object a line, over a socket that both hold. */
import { z } from 'zod'

export const LINE_BYTES = 1024 * 1024
/** Lines of its own accord that a plugin may say between two answers. */
export const LOG_LINES = 50

/** To the plugin. */
export type Ask =
  | { id: number; ask: 'load'; config: Record<string, unknown> }
  | { id: number; ask: 'step'; workflow: string; name: string; undo: boolean; call: Record<string, unknown> }
  | { id: number; ask: 'rank-storages'; strategy: string; call: Record<string, unknown> }
  | { id: number; ask: 'rank'; strategy: string; call: Record<string, unknown> }
  | { id: number; ask: 'events'; events: readonly Record<string, unknown>[] }
  | { id: number; ask: 'tag'; resource: string; pattern: string; vet: boolean; call: Record<string, unknown> }

/** Without its id. */
export type Question = Ask extends infer A ? (A extends { id: number } ? Omit<A, 'id'> : never) : never

/** From the plugin. */
export const answer = z.union([
  z.strictObject({ id: z.int(), ok: z.unknown() }),
  z.strictObject({ id: z.int(), error: z.strictObject({ message: z.string(), refused: z.boolean() }) }),
  z.strictObject({ log: z.string() }),
])
export type Answer = z.infer<typeof answer>
