/** Text that breaks careless programs, and every place of every API into which text can be put. */
import { type Api, apis, type Row } from '@skerry/contract'

export const nastyTexts: Record<string, string> = {
  'a shell command': '; $(id)',
  'a newline': 'a\nb',
  XML: '<x a="1">',
  'a quote': "'",
  '5,000 characters': 'x'.repeat(5_000),
  NUL: 'a\0b',
  'half a character': 'a\ud800',
  'a path upwards': '../../etc/passwd',
  'the name of a prototype': '__proto__',
}

/** Stands for all parameters of an API that take any text. */
export const FREE_TEXT = '(free text)'

export interface Place {
  api: Api
  parameter: string
  /** the sound parameters with the text in this place */
  with(sound: Row, text: string): Row
}

/** The part of a zod schema that says what it takes. */
interface Schema {
  def: { type: string; innerType?: Schema }
}
const shapeOf = (api: Api) => Object.entries(api.params.shape as unknown as Record<string, Schema>)

const unwrap = (schema: Schema): Schema => (schema.def.innerType ? unwrap(schema.def.innerType) : schema)

function placesIn(api: Api, parameter: string, schema: Schema): Place[] {
  const place = (value: (text: string) => unknown): Place => ({
    api,
    parameter,
    with: (sound, text) => ({ ...sound, [parameter]: value(text) }),
  })
  const { type } = unwrap(schema).def
  if (type === 'string' || type === 'enum') return [place((text) => text)]
  if (type === 'array') return [place((text) => [text])]
  if (type === 'record') return [place((text) => ({ [text]: ['DHCP'] })), place((text) => ({ ['0'.repeat(32)]: [text] }))]
  return []
}

/** Path variables and parameters of an API that take text. */
export function placesOf(api: Api): Place[] {
  const variables = [...api.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
  const inPath = variables.map(
    (parameter): Place => ({ api, parameter, with: (sound, text) => ({ ...sound, [parameter]: text }) }),
  )
  const shape = shapeOf(api).filter(([name]) => !variables.includes(name))
  return [...inPath, ...shape.flatMap(([name, schema]) => placesIn(api, name, schema))]
}

/** Every API that takes text, with its places; those for free text are filled together, because each good call is carried out. */
export function allPlaces(isFree: (parameter: string) => boolean): { api: Api; places: Place[] }[] {
  return apis.flatMap(({ api }) => {
    const every = placesOf(api)
    const free = every.filter(({ parameter }) => isFree(parameter))
    const fill = (sound: Row, text: string) => free.reduce((params, place) => place.with(params, text), sound)
    const places = every.filter((place) => !free.includes(place))
    if (free.length > 0) places.push({ api, parameter: FREE_TEXT, with: fill })
    return places.length > 0 ? [{ api, places }] : []
  })
}
