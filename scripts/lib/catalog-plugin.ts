/**
 * Puts the command line's catalog into its bundle as finished data. The contract's schemas then need not be loaded to start, which
 * would take longer than everything else that a command does.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Options } from 'tsup'

type Plugin = NonNullable<Options['esbuildPlugins']>[number]

/** Relative to the root; its one export is the catalog. */
const SOURCE = 'packages/cli/src/contract-catalog.ts'

export function catalogPlugin(root: string): Plugin {
  return {
    name: 'catalog',
    setup(build) {
      build.onLoad({ filter: /[\\/]contract-catalog\.ts$/ }, async ({ path }) => {
        if (path !== join(root, SOURCE)) return undefined
        const { catalog } = (await import(pathToFileURL(path).href)) as { catalog: unknown }
        // Parsing text as JSON is faster than parsing it as a program.
        return { contents: `export const catalog = JSON.parse(${JSON.stringify(JSON.stringify(catalog))})`, loader: 'js' }
      })
    },
  }
}
