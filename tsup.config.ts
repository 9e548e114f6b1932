/** One bundle a program. `scripts/build` builds the same and completes the folders (native addons, package.json). */
import { defineConfig } from 'tsup'
import { bundleOptions, bundles } from './scripts/lib/bundles.ts'

export default defineConfig(bundles.map(bundleOptions))
