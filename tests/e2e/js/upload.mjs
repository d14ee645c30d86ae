// Uploads one file with tus-js-client. Takes its options as JSON, prints what happened as JSON.
import { createReadStream } from 'node:fs'
import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

import * as tus from 'tus-js-client'

const { file, pauseAfter, terminateAfter, ...options } = JSON.parse(process.argv[2])
// Of a length that is told in the end, the client knows only where it does not see the file.
const source = createReadStream(file)
const input = options.uploadLengthDeferred ? source.pipe(new PassThrough()) : source
const answers = []
let accepted = 0

const upload = await new Promise((resolve) => {
  const upload = new tus.Upload(input, {
    // A service that was killed may need long to be back where others want the processors, too.
    retryDelays: [200, 500, 1000, 2000, 5000, 10000, 20000],
    onAfterResponse: (request, response) => {
      answers.push([request.getMethod(), response.getStatus()])
      upload.become = response.getHeader('Content-Location') ?? upload.become
    },
    onChunkComplete: async (_, total) => {
      accepted = total
      if (terminateAfter && total >= terminateAfter) {
        await upload.abort(true)
        resolve(upload)
      } else if (pauseAfter && total >= pauseAfter && !upload.paused) {
        upload.paused = true
        await upload.abort()
        await sleep(300)
        upload.start()
      }
    },
    onSuccess: () => resolve(upload),
    onError: (error) => {
      upload.failure = { status: error.originalResponse?.getStatus(), message: error.message }
      resolve(upload)
    },
    ...options,
  })
  upload.start()
})

const { url, become, failure } = upload
console.log(JSON.stringify({ url, become, failure, accepted, answers }))
