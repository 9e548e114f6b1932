/** Builds the Debian guest into the tests' cache, while there still is a network: its suite has none. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildDebian } from '@skerry/deploy/debian'
import { buildGuest } from '@skerry/deploy/guest'
import { realHost } from '@skerry/host'

const cacheDir = join(tmpdir(), 'skerry-guest')
const host = realHost()
const onStep = (step: string) => console.log(step)
// `up` finds out with the tiny one whether KVM works
for (const build of [buildGuest, buildDebian]) console.log(await build({ ...host, cacheDir, onStep }))
