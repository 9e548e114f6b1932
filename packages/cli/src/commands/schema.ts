/** `skerry schema openapi|asyncapi`: what a controller promises, as JSON for other tools. */
import type { Io } from '../io.ts'
import { clientOf, type Globals } from '../session.ts'

export async function schema(io: Io, which: 'openapi' | 'asyncapi', o: Globals): Promise<void> {
  io.out(JSON.stringify(await (await clientOf(io, o)).described(which), null, 2))
}
