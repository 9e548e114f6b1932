/** Where secrets go into the API and come out of it, read from the contract: a new one is found without being listed here. */
import { type Api, apis, type Resource, resources, secretRef, secretValue } from '@skerry/contract'

interface Schema {
  def: {
    type: string
    innerType?: Schema
    element?: Schema
    valueType?: Schema
    options?: Schema[]
    shape?: Record<string, Schema>
  }
}

/** Names under which secrets go, whatever their schema says. */
const NAMED = /passw|passphrase|secret|token|session(uuid)?$|cred(ential)?s?$|privatekey|seed$|verifycode|otp|^jobdata$/i

/** Named as secrets are, and none: what fills the places of a tag is read by everybody. */
const SHOWN = new Set(['AttachTagToResources.tokens'])

/** Every schema below one, with its path. */
function* within(schema: Schema, path: string): Generator<{ path: string; schema: Schema }> {
  yield { path, schema }
  const { innerType, element, valueType, options, shape } = schema.def
  for (const inner of [innerType, element, valueType, ...(options ?? [])]) if (inner) yield* within(inner, path)
  for (const [name, inner] of Object.entries(shape ?? {})) yield* within(inner, path === '' ? name : `${path}.${name}`)
}

const isNamed = (path: string) => NAMED.test(path.slice(path.lastIndexOf('.') + 1))

/** Parameters of an API that take a secret: by their schema, or by their name. */
export function secretParameters(api: Api): string[] {
  const typed = [...within(api.params as unknown as Schema, '')]
    .filter(({ path, schema }) => (schema as unknown) === secretValue || (path !== '' && isNamed(path)))
    .map(({ path }) => path)
  const variables = [...api.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!).filter(isNamed)
  return [...new Set([...typed, ...variables])].filter((parameter) => !SHOWN.has(`${api.api}.${parameter}`))
}

/** Every API that takes a secret, with its parameters. */
export const takers = (): { api: Api; parameters: string[] }[] =>
  apis.map(({ api }) => ({ api, parameters: secretParameters(api) })).filter(({ parameters }) => parameters.length > 0)

/** Every API whose answer is a secret, with its fields. Sessions and console tokens are inventories, and listed by hand. */
export const givers = (): { api: Api; fields: string[] }[] =>
  apis
    .map(({ api }) => {
      const shape = api.result.kind === 'fields' ? api.result.schema.shape : {}
      return { api, fields: Object.keys(shape).filter((name) => NAMED.test(name)) }
    })
    .filter(({ fields }) => fields.length > 0)

/** `secretValue` anywhere but at the top of the parameters, where the controller doesn't look for it. */
export const buriedSecrets = (): string[] =>
  apis.flatMap(({ api }) =>
    [...within(api.params as unknown as Schema, '')]
      .filter(({ path, schema }) => (schema as unknown) === secretValue && path.includes('.'))
      .map(({ path }) => `${api.api}.${path}`),
  )

/** Fields that hold a reference to a secret, and are shown all the same. */
export const shownReferences = (): string[] =>
  Object.values(resources as Record<string, Resource>).flatMap(({ name, fields, hidden }) =>
    Object.entries(fields)
      .filter(([field, schema]) => holdsReference(schema as unknown as Schema) && !hidden?.includes(field))
      .map(([field]) => `${name}.${field}`),
  )

/** References inside other values, where neither a deletion nor the start of a controller looks for them. */
export const buriedReferences = (): string[] =>
  Object.values(resources as Record<string, Resource>).flatMap(({ name, fields }) =>
    Object.entries(fields)
      .filter(([, schema]) => holdsReference(schema as unknown as Schema) && !isReference(schema as unknown as Schema))
      .map(([field]) => `${name}.${field}`),
  )

const isReference = (schema: Schema): boolean =>
  (schema as unknown) === secretRef || (schema.def.innerType !== undefined && isReference(schema.def.innerType))

const holdsReference = (schema: Schema) => [...within(schema, '')].some((inner) => (inner.schema as unknown) === secretRef)
