import { defineConfig } from 'vitest/config'

const never = ['**/node_modules/**', '**/dist/**']
const slow = { testTimeout: 300_000, hookTimeout: 300_000 }
const [system, online] = ['**/test/**/*.system.test.ts', '**/test/**/*.online.test.ts']

/**
 * Lanes (see scripts/test): `fast` needs neither root nor daemons; `system` needs both, and runs in a network namespace of its own;
 * `online` needs root and Debian's packages.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'fast',
          include: ['**/test/**/*.test.ts'],
          exclude: [...never, system, online],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      { test: { name: 'system', include: [system], exclude: never, ...slow } },
      { test: { name: 'online', include: [online], exclude: never, ...slow } },
    ],
  },
})
