/** Who may depend on whom (DESIGN §1), read from the manifests; and whether the imports keep to the manifests. Pure. */
import { builtinModules } from 'node:module'
import ts from 'typescript'
import type { SourceFile, WorkspacePackage } from './packages.ts'

/** Lower layers first. A package depends on lower layers; inside a layer only where `peers` says so. */
const LAYERS: readonly { names: RegExp; peers: boolean }[] = [
  { names: /^contract$/, peers: false },
  { names: /^(graph|query|ring)$/, peers: true },
  { names: /^(backup|bus|workflow|reconcile|host|libvirt|plugin)$/, peers: false },
  { names: /^(agent|console|sdk|testkit)$/, peers: false },
  { names: /^(agent-[a-z]+|controller|cli|web|mcp)$/, peers: false },
  { names: /^(simulator|deploy)$/, peers: false },
  { names: /^test$/, peers: false },
]
const builtins = new Set(builtinModules)

const layerOf = (name: string) => LAYERS.findIndex(({ names }) => names.test(name))

/** One line per breach. Tests may use what `devDependencies` name, whatever the layer. */
export function checkBounds(packages: readonly WorkspacePackage[], rootDevDependencies: readonly string[]): string[] {
  return packages.flatMap((pkg) => [...manifestBreaches(pkg), ...importBreaches(pkg, rootDevDependencies)])
}

function manifestBreaches(pkg: WorkspacePackage): string[] {
  const layer = layerOf(pkg.name)
  if (layer < 0) return [`${pkg.folder}/package.json: @skerry/${pkg.name} has no place among the layers (scripts/lib/bounds.ts)`]
  const own = pkg.dependencies.filter((name) => name.startsWith('@skerry/')).map((name) => name.slice('@skerry/'.length))
  const breaches = own
    .filter((name) => !(layerOf(name) < layer || (layerOf(name) === layer && LAYERS[layer]?.peers)))
    .map((name) => `${pkg.folder}/package.json: ${pkg.name} must not depend on ${name} (DESIGN §1)`)
  const foreign = pkg.name === 'contract' ? pkg.dependencies.filter((name) => name !== 'zod') : []
  return [...breaches, ...foreign.map((name) => `${pkg.folder}/package.json: contract imports only zod, not ${name}`)]
}

function importBreaches(pkg: WorkspacePackage, rootDev: readonly string[]): string[] {
  const forSrc = new Set(pkg.dependencies)
  const forTest = new Set([...pkg.dependencies, ...pkg.devDependencies, ...rootDev, `@skerry/${pkg.name}`])
  return [
    ...pkg.src.flatMap((file) => undeclared(file, forSrc, pkg)),
    ...pkg.test.flatMap((file) => undeclared(file, forTest, pkg)),
  ]
}

function undeclared(file: SourceFile, declared: ReadonlySet<string>, pkg: WorkspacePackage): string[] {
  return importsOf(file).flatMap((specifier) => {
    if (specifier.startsWith('.'))
      return leaves(file, specifier, pkg.folder) ? [`${file.path}: ${specifier} leaves the package`] : []
    if (specifier.startsWith('node:') || builtins.has(specifier)) return []
    const name = specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/')
    return declared.has(name) ? [] : [`${file.path}: ${name} is not in the manifest of ${pkg.name}`]
  })
}

function leaves(file: SourceFile, specifier: string, folder: string): boolean {
  const resolved = new URL(specifier, `file:///${file.path}`).pathname.slice(1)
  return !resolved.startsWith(`${folder}/`)
}

/** Specifiers of imports, re-exports, dynamic imports and import types. */
export function importsOf(file: SourceFile): string[] {
  const tree = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true)
  const found: string[] = []
  const take = (node: ts.Node | undefined) => {
    if (node && ts.isStringLiteral(node)) found.push(node.text)
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) take(node.moduleSpecifier)
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) take(node.arguments[0])
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) take(node.argument.literal)
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found
}
