/** Programs of the lab in one file each: there they start without reading hundreds of files. */
import { basename } from 'node:path'
import { build } from 'tsup'

const REQUIRE = `import { createRequire as r } from 'node:module'; const require = r(import.meta.url)`

/** Writes `<name>.mjs` into the folder. Answers its name. */
export async function bundleProgram(outDir: string, source: string): Promise<string> {
  const name = basename(source, '.ts')
  await build({
    ...{ entry: { [name]: source }, outDir, config: false, silent: true },
    ...{ format: 'esm', target: 'node20', platform: 'node', noExternal: [/./], splitting: false },
    ...{ outExtension: () => ({ js: '.mjs' }), banner: { js: REQUIRE }, removeNodeProtocol: false },
  })
  return `${name}.mjs`
}
