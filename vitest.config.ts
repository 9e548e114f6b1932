import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const never = ['**/node_modules/**', '**/dist/**']
const setupFiles = ['./test/harness/patience.ts']
const slow = { setupFiles, testTimeout: 300_000, hookTimeout: 300_000 }
const [system, online] = ['**/test/**/*.system.test.ts', '**/test/**/*.online.test.ts']
const lab = '**/test/**/*.lab.test.ts'
const guests = '**/test/**/*.guests.test.ts'
/** They judge the memory of their own process: in the lane `fast`, each has one for itself. */
const memory = ['packages/libvirt/test/ffi.test.ts', 'test/test/bad-form.test.ts']
const quick = { setupFiles, testTimeout: 60_000, hookTimeout: 60_000 }

/** Those of minutes, which begin first: vitest knows no times in a fresh clone, takes small files last, and one processor would idle. */
const LONG = ['fuzz.test.ts', 'simulation.test.ts', 'prove.test.ts', 'bad-text.test.ts']
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => LONG.findIndex((name) => moduleId.endsWith(`/${name}`)) >>> 0
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

/**
 * Lanes (see scripts/test): `fast` and `fast-memory` need neither root nor daemons; `system` needs both, and runs in a network namespace of its own;
 * `online` needs root and Debian's packages; `lab` runs in QEMU guests, and needs neither root nor a network once it has its kernel; `guests` builds and boots whole
 * systems, which takes too long for each change.
 *
 * The files of `fast` share two processes (`isolate: false`): to load the tree anew for each cost more than most of their tests do.
 * So none of them may leave anything behind in its process: no stub, no variable of the environment, no timer.
 */
export default defineConfig({
  test: {
    sequence: { sequencer: LongFirst },
    projects: [
      {
        test: {
          name: 'fast',
          include: ['**/test/**/*.test.ts'],
          exclude: [...never, system, online, lab, guests, ...memory],
          isolate: false,
          ...quick,
        },
      },
      { test: { name: 'fast-memory', include: memory, exclude: never, ...quick } },
      { test: { name: 'system', include: [system], exclude: never, ...slow } },
      { test: { name: 'online', include: [online], exclude: never, ...slow } },
      { test: { name: 'lab', include: [lab], exclude: never, ...slow } },
      { test: { name: 'guests', include: [guests], exclude: never, setupFiles, testTimeout: 1_200_000, hookTimeout: 1_200_000 } },
    ],
  },
})
