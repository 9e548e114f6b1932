/** The simulation as one file, with its source changed on the way where a bug is planted: the tree itself stays as it is. */
import { readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { build, type Options } from 'tsup'

export const root = join(import.meta.dirname, '../..')

/** One change of one source file; `from` stands there exactly once. */
export interface Patch {
  file: string
  from: string
  to: string
}

type Plugin = NonNullable<Options['esbuildPlugins']>[number]

const patching = (patches: readonly Patch[]): Plugin => ({
  name: 'patches',
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const found = patches.filter(({ file }) => file === relative(root, path))
      if (found.length === 0) return undefined
      const contents = found.reduce(applied, await readFile(path, 'utf8'))
      return { contents, loader: 'ts' }
    })
  },
})

/** Throws where the source is no longer what the patch was written for. */
export function applied(text: string, { file, from, to }: Patch): string {
  const parts = text.split(from)
  if (parts.length !== 2) throw new Error(`${file} has the text to change ${parts.length - 1} times instead of once: ${from}`)
  return parts.join(to)
}

/** What loads addons of its own, and is never asked for here. */
const NATIVE = '(ffi-napi|ref-napi|koffi|cpu-features)($|/)|\\.node$'

/** CommonJS packages inside an ESM bundle call `require`, and ask for their folder. */
const REQUIRE = [
  `import { createRequire as simulationRequire } from 'node:module'`,
  'const require = simulationRequire(import.meta.url)',
  'const simulationFolder = import.meta.dirname',
].join('\n')

const SIMULATION = { simulation: 'test/sim/main.ts' }

/** Into that folder, with everything that it needs; gives the file to run. `programs`: others, by the names of their files. */
export async function bundle(
  outDir: string,
  patches: readonly Patch[] = [],
  programs: Readonly<Record<string, string>> = SIMULATION,
): Promise<string> {
  await build({
    entry: Object.fromEntries(Object.entries(programs).map(([name, file]) => [name, join(root, file)])),
    ...{ outDir, format: 'esm', target: 'node20', platform: 'node', sourcemap: true },
    ...{ config: false, splitting: false, silent: true, removeNodeProtocol: false },
    noExternal: [new RegExp(`^(?!${NATIVE})`)],
    external: [new RegExp(`^${NATIVE}`)],
    banner: { js: REQUIRE },
    define: { __dirname: 'simulationFolder' },
    esbuildPlugins: [patching(patches)],
  })
  return join(outDir, `${Object.keys(programs)[0]}.js`)
}
