/** A plugin beside its caller, for tests of what it does: nothing keeps it from harming them. */
import type { PluginModule } from './plugin.ts'
import type { PluginProcess, ProcessHandlers } from './process.ts'
import { Refusal, serving } from './serving.ts'

export const localProcess =
  (module: PluginModule) =>
  (handlers: ProcessHandlers): PluginProcess => {
    const answer = serving(module)
    return {
      pid: undefined,
      send({ id, ...question }) {
        // Through JSON, as over a socket: what doesn't get through there must not get through here.
        answer(JSON.parse(JSON.stringify(question))).then(
          (ok) => handlers.onAnswer({ id, ok: JSON.parse(JSON.stringify(ok ?? null)) }),
          (error: Error) => handlers.onAnswer({ id, error: { message: error.message, refused: error instanceof Refusal } }),
        )
      },
      kill: (reason) => handlers.onEnd(reason),
    }
  }
