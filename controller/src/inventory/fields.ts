/** What a zod schema of the contract says about a value's form. Used to render and to coerce query strings. */
export { elementOf, kindOf, mapValueOf, type SchemaKind as FieldKind, shapeOf, unwrap } from '@skerry/contract'
