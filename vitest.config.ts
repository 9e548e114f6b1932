import { defineConfig } from 'vitest/config'

const never = ['**/node_modules/**', '**/dist/**']
const setupFiles = ['./test/harness/patience.ts']
const slow = { setupFiles, testTimeout: 300_000, hookTimeout: 300_000 }
const [system, online] = ['**/test/**/*.system.test.ts', '**/test/**/*.online.test.ts']
const lab = '**/test/**/*.lab.test.ts'
const guests = '**/test/**/*.guests.test.ts'

/**
 * Lanes (see scripts/test): `fast` needs neither root nor daemons; `system` needs both, and runs in a network namespace of its own;
 * `online` needs root and Debian's packages; `lab` runs in QEMU guests, and needs neither root nor a network once it has its kernel; `guests` builds and boots whole
 * systems, which takes too long for each change.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'fast',
          include: ['**/test/**/*.test.ts'],
          exclude: [...never, system, online, lab, guests],
          setupFiles,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      { test: { name: 'system', include: [system], exclude: never, ...slow } },
      { test: { name: 'online', include: [online], exclude: never, ...slow } },
      { test: { name: 'lab', include: [lab], exclude: never, ...slow } },
      { test: { name: 'guests', include: [guests], exclude: never, setupFiles, testTimeout: 1_200_000, hookTimeout: 1_200_000 } },
    ],
  },
})
