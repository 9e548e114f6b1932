/** The catalog of this contract. The build puts the finished data in this file's place: here it costs loading the whole contract. */
import { apis, baseFields, resourceNamedBy, resources } from '@skerry/contract'
import { type Catalog, catalogOf } from './catalog.ts'

export const catalog: Catalog = catalogOf({ apis, resources, baseFields, namedBy: resourceNamedBy })
