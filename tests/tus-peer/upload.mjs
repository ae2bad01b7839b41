// Uploads a file with the official client, as it is: node upload.mjs '{"endpoint", "token", "file", "chunkSize", "cuts"}'
//   chunkSize  bytes per request; null: all in one
//   cuts       how often the connection is cut on the way and the upload gone on with by another instance that knows only the address
//   uploadUrl  an upload that was begun before, to go on with
//   leave      after the cuts: "stop" leaves the upload as it is, "terminate" takes it back
// Prints {"url", "id", "requests"} when the server has the whole file.
import { createReadStream, statSync } from 'node:fs';
import { Upload } from 'tus-js-client';

const { endpoint, token, file, chunkSize, cuts, retryDelays, uploadUrl, leave } = JSON.parse(process.argv[2]);
const size = statSync(file).size;
const requests = [];
let id;

function attempt(uploadUrl, cutAt, terminate) {
  return new Promise((resolve, reject) => {
    const upload = new Upload(createReadStream(file), {
      endpoint,
      uploadUrl,
      uploadSize: size,
      chunkSize: chunkSize ?? size,
      metadata: { life: '30', downloads: '2' },
      retryDelays: retryDelays ?? null,
      // The account is named to announce the upload, and never again.
      onBeforeRequest: request => {
        requests.push(request.getMethod());
        if (request.getMethod() === 'POST') request.setHeader('Authorization', `Bearer ${token}`);
      },
      onAfterResponse: (_, response) => { id = response.getHeader('Media-Id') ?? id; },
      onProgress: async sent => {
        if (cutAt !== undefined && sent >= cutAt) {
          cutAt = undefined;
          await upload.abort(terminate);
          resolve(upload.url);
        }
      },
      onError: reject,
      onSuccess: () => resolve(upload.url),
    });
    upload.start();
  });
}

let url = uploadUrl;
for (let cut = 1; cut <= (cuts ?? 0); cut++) {
  url = await attempt(url, Math.floor((size * cut) / (cuts + 1)), leave === 'terminate' && cut === cuts);
}
if (!leave) url = await attempt(url);
console.log(JSON.stringify({ url, id, requests }));
process.exit(0);
