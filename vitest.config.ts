import { defineConfig } from 'vitest/config'

const never = ['**/node_modules/**', '**/dist/**']

/** Lanes (see scripts/test): `fast` needs neither root nor daemons; `system` needs both and runs one file at a time. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'fast',
          include: ['**/test/**/*.test.ts'],
          exclude: [...never, '**/*.system.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'system',
          include: ['**/test/**/*.system.test.ts'],
          exclude: never,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
})
