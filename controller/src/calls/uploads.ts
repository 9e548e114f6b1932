/** What is told of uploads: where the bytes go, when the image is added and while it is being uploaded. In no log: the URL holds a token. */
import { isUpload, type Row, resources } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Call } from '../engine/port.ts'
import { render } from '../inventory/index.ts'
import { uploading } from '../uploads/sweep.ts'
import { uploadUrl } from '../uploads/token.ts'
import { type UploadsPorts, uploadState } from '../uploads/uploads.ts'

export interface UploadAnswerPorts {
  graph: Graph
  consoleSecret(name: string): string
  address: { hostname: string; port: number; scheme: string }
}

/** ZStack's clients find the URL where an image's path is shown, as long as it has none. */
export const uploadAnswers = ({ graph, consoleSecret, address }: UploadAnswerPorts) => ({
  AddImage: (params: Row, job: string): Row | undefined => {
    const image = isUpload(params['url']) ? graph.get('image', graph.get('job', job)?.['resourceUuid'] as string) : undefined
    if (!image) return undefined
    const inventory = render(graph, resources.image, image)
    const installPath = uploadUrl(address, consoleSecret, image)
    const backupStorageRefs = (inventory['backupStorageRefs'] as Row[]).map((ref) => ({ ...ref, installPath }))
    return { inventory: { ...inventory, backupStorageRefs } }
  },
})

const TAG = 'uploadImage::'

type CallPorts = UploadAnswerPorts & Pick<UploadsPorts, 'agents' | 'newId' | 'monotonic'>

export function uploadCalls(p: CallPorts) {
  return {
    /** `imageId`: an image's uuid, or what a long job that adds one was tagged with. */
    GetUploadImageJobDetails: async ({ params }: Call): Promise<Row> => {
      const found = uploading(p.graph).filter((image) => {
        const job = longJobOf(p.graph, image['uuid'] as string)
        return image['uuid'] === params['imageId'] || (job !== undefined && isTagged(p.graph, job, String(params['imageId'])))
      })
      return { existingJobDetails: await Promise.all(found.map((image) => detailsOf(p, image))) }
    },
  }
}

async function detailsOf(p: CallPorts, image: Readonly<Row>): Promise<Row> {
  const { graph, consoleSecret, address } = p
  const longJob = longJobOf(graph, image['uuid'] as string)
  return {
    longJobUuid: longJob?.['uuid'] ?? null,
    longJobState: longJob?.['state'] ?? null,
    imageUuid: image['uuid'],
    imageUploadUrl: uploadUrl(address, consoleSecret, image),
    offset: (await uploadState(p, image)).offset,
  }
}

function longJobOf(graph: Graph, imageUuid: string): Readonly<Row> | undefined {
  for (const [, row] of graph.rows('longJob'))
    if (graph.get('job', row['jobUuid'] as string)?.['resourceUuid'] === imageUuid) return row
  return undefined
}

const isTagged = (graph: Graph, longJob: Readonly<Row>, imageId: string) =>
  [...graph.by('tag', 'resourceUuid', longJob['uuid'])].some((key) => graph.get('tag', key)?.['tag'] === `${TAG}${imageId}`)
