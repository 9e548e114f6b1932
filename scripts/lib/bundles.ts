/** What is built: programs, their entry files, and the native addons that lie beside them. */
import type { Options } from 'tsup'

export interface Bundle {
  /** Folder under `dist`. */
  name: string
  /** Output name → source file, relative to the root. */
  entries: Record<string, string>
  /** Native packages that must lie in the bundle's `node_modules`, with the package whose dependency they are. */
  native?: { from: string; names: readonly string[] }
}

/** Never bundled: they load a `.node` file by path. */
const NATIVE = ['ffi-napi', 'ref-napi']

export const bundles: readonly Bundle[] = [
  { name: 'controller', entries: { main: 'controller/src/main.ts' } },
  {
    name: 'agent-kvm',
    entries: { main: 'agent-kvm/src/main.ts', child: 'packages/libvirt/src/child.ts' },
    native: { from: 'packages/libvirt', names: NATIVE },
  },
  { name: 'agent-storage', entries: { main: 'agent-storage/src/main.ts' } },
  { name: 'agent-vrouter', entries: { main: 'agent-vrouter/src/main.ts' } },
  { name: 'cli', entries: { main: 'packages/cli/src/main.ts' } },
  { name: 'deploy', entries: { up: 'packages/deploy/src/up.ts', down: 'packages/deploy/src/down.ts' } },
  { name: 'supervisor', entries: { main: 'packages/deploy/src/supervisor/main.ts' } },
]

/** Files and folders that decide what the bundles become. Tests don't. */
export const INPUTS = [
  ...['packages', 'controller', 'agent-kvm', 'agent-storage', 'agent-vrouter'],
  ...['pnpm-lock.yaml', 'package.json', 'tsconfig.json', 'tsup.config.ts', 'scripts/lib'],
]

/** CommonJS packages inside an ESM bundle still call `require`. */
const REQUIRE = [
  `import { createRequire as skerryCreateRequire } from 'node:module'`,
  'const require = skerryCreateRequire(import.meta.url)',
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
    noExternal: [new RegExp(`^(?!(${NATIVE.join('|')})($|/))`)],
    removeNodeProtocol: false,
    banner: { js: REQUIRE },
    sourcemap: true,
    splitting: true,
    clean: true,
    silent: true,
  }
}
