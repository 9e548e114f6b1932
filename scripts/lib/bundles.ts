/** What is built: programs, their entry files, and the native addons that lie beside them. */
import { join } from 'node:path'
import type { Options } from 'tsup'
import { catalogPlugin } from './catalog-plugin.ts'

export interface Bundle {
  /** Folder under `dist`. */
  name: string
  /** Output name → source file, relative to the root. */
  entries: Record<string, string>
  /** Native packages that must lie in the bundle's `node_modules`, with the package whose dependency they are. */
  native?: { from: string; names: readonly string[] }
  /** Has the console page beside it, in `console-page`. */
  consolePage?: boolean
}

/** Never bundled: they load a `.node` file by path. */
const NATIVE = ['ffi-napi', 'ref-napi', 'koffi']

export const bundles: readonly Bundle[] = [
  {
    name: 'controller',
    entries: { main: 'controller/src/main.ts', child: 'packages/plugin/src/child.ts' },
    consolePage: true,
  },
  { name: 'console-proxy', entries: { main: 'packages/console/src/main.ts' }, consolePage: true },
  {
    name: 'agent-kvm',
    entries: { main: 'agent-kvm/src/main.ts', child: 'packages/libvirt/src/child.ts' },
    native: { from: 'packages/libvirt', names: NATIVE },
  },
  { name: 'agent-storage', entries: { main: 'agent-storage/src/main.ts' } },
  { name: 'agent-vrouter', entries: { main: 'agent-vrouter/src/main.ts' } },
  { name: 'cli', entries: { main: 'packages/cli/src/main.ts' } },
  { name: 'deploy', entries: { up: 'packages/deploy/src/up.ts', down: 'packages/deploy/src/down.ts' } },
  {
    name: 'simulator',
    entries: {
      main: 'packages/simulator/src/main.ts',
      up: 'packages/simulator/src/up.ts',
      down: 'packages/simulator/src/down.ts',
    },
  },
  { name: 'supervisor', entries: { main: 'packages/deploy/src/supervisor/main.ts' } },
]

/** Addons that a package does without when they are not there, as they never are: pnpm builds none. */
const DISPENSABLE = ['cpu-features', '.*\\.node']

/** Files and folders that decide what the bundles become. Tests don't. */
export const INPUTS = [
  ...['packages', 'controller', 'agent-kvm', 'agent-storage', 'agent-vrouter'],
  ...['pnpm-lock.yaml', 'package.json', 'tsconfig.json', 'tsup.config.ts', 'scripts/lib'],
]

/** CommonJS packages inside an ESM bundle still call `require`, and ask for their folder. */
const REQUIRE = [
  `import { createRequire as skerryCreateRequire } from 'node:module'`,
  'const require = skerryCreateRequire(import.meta.url)',
  'const skerryFolder = import.meta.dirname',
].join('\n')

/** Everything is bundled but native addons, so that a bundle starts alone from an empty folder. */
export function bundleOptions({ name, entries }: Bundle): Options {
  return {
    name,
    entry: entries,
    outDir: `dist/${name}`,
    format: 'esm',
    target: 'node20',
    platform: 'node',
    noExternal: [new RegExp(`^(?!(${[...NATIVE, ...DISPENSABLE].join('|')})($|/))`)],
    external: DISPENSABLE.map((name) => new RegExp(`^${name}$`)),
    removeNodeProtocol: false,
    banner: { js: REQUIRE },
    define: { __dirname: 'skerryFolder' },
    sourcemap: true,
    splitting: true,
    clean: true,
    silent: true,
    ...(name === 'cli' ? { esbuildPlugins: [catalogPlugin(join(import.meta.dirname, '../..'))] } : {}),
  }
}

/** For browsers: two scripts (noVNC comes when a screen is wanted) and a style sheet; `page` has the HTML. */
export const CONSOLE_PAGE = 'packages/console/page'
export function consolePageOptions(outDir: string): Options {
  return {
    name: 'console-page',
    entry: { page: `${CONSOLE_PAGE}/page.ts` },
    outDir,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    noExternal: [/.*/],
    minify: true,
    splitting: true,
    silent: true,
    tsconfig: `${CONSOLE_PAGE}/tsconfig.json`,
  }
}
