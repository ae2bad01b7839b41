// @ts-check
// Files over the server, which keeps ciphertext for a while: uploads that are resumed, downloads that are. Spec: docs/protocol/media.md.
import { fromBase64Url, randomBytes, toBase64Url } from "./encoding.js";
import { Damaged, encrypt, fileLength, KEY_BYTES, Opening } from "./media.js";

// The page has no account: docs/protocol/calls.md#the-call-page.
const ANNOUNCE = "/call-demo/media";
const TUS = { "Tus-Resumable": "1.0.0" };
const LIFE_MINUTES = 30;
// The answer to the first may be lost. Once the file has arrived it is taken back.
const DOWNLOADS = 3;
const TRIES = 6;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 8000;
const FAREWELL_DUE = 5000;

/** What trying again changes: too slow, at another offset, too many, and the failures of a server. */
const PASSING = new Set([408, 409, 425, 429]);

/** The server says no, and will say so again. */
class Refused extends Error {}

/**
 * @typedef {object} Uploaded
 * @property {string} media What the file is downloaded by.
 * @property {string} key What it is opened by.
 * @property {() => void} remove Takes it back.
 */

/** How often somebody tries again who gets nowhere. */
class Patience {
  #failures = 0;

  /** @param {AbortSignal} signal */
  constructor(signal) {
    this.signal = signal;
  }

  renew() {
    this.#failures = 0;
  }

  /** @param {unknown} error Thrown again when it is of no use to go on. */
  async after(error) {
    if (error instanceof Refused || error instanceof Damaged || this.signal.aborted || ++this.#failures >= TRIES) {
      throw error;
    }
    await new Promise(resolve => setTimeout(resolve, Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (this.#failures - 1))));
    this.signal.throwIfAborted();
  }
}

/** @param {string} method @param {string} url @param {RequestInit} request */
async function ask(method, url, request) {
  const answer = await fetch(url, { method, credentials: "omit", cache: "no-store", redirect: "error", ...request });
  if (!answer.ok) {
    throw PASSING.has(answer.status) || answer.status >= 500 ? new Error(`Refused for now: ${answer.status}`) : new Refused(`Refused: ${answer.status}`);
  }
  return answer;
}

/** @param {number} length @param {AbortSignal} signal */
async function announce(length, signal) {
  const patience = new Patience(signal);
  const terms = `life ${btoa(String(LIFE_MINUTES))},downloads ${btoa(String(DOWNLOADS))}`;
  while (true) {
    try {
      const { headers } = await ask("POST", ANNOUNCE, { signal, headers: { ...TUS, "Upload-Length": String(length), "Upload-Metadata": terms } });
      return { address: headers.get("Location") ?? "", media: headers.get("Media-Id") ?? "" };
    } catch (error) {
      await patience.after(error);
    }
  }
}

/** @param {string} address @param {number} begin @param {Uint8Array<ArrayBuffer>} part @param {AbortSignal} signal */
async function append(address, begin, part, signal) {
  const patience = new Patience(signal);
  const end = begin + part.length;
  for (let at = begin; at < end;) {
    try {
      await ask("PATCH", address, {
        signal, body: part.subarray(at - begin), headers: { ...TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(at) },
      });
      at = end;
    } catch (error) {
      await patience.after(error);
      const reached = await offsetOf(address, signal);
      if (reached > at && reached <= end) {
        at = reached;
        patience.renew();
      }
    }
  }
}

/** @param {string} address @param {AbortSignal} signal @returns {Promise<number>} NaN while the server is away. */
async function offsetOf(address, signal) {
  try {
    const { headers } = await ask("HEAD", address, { signal, headers: TUS });
    return Number(headers.get("Upload-Offset") ?? NaN);
  } catch (error) {
    if (error instanceof Refused) {
      throw error;
    }
    return NaN;
  }
}

/**
 * Encrypts a file and puts it on the relay.
 * @param {Blob} file 1 byte to 96 MiB. @param {AbortSignal} signal @param {(share: number) => void} progress
 * @returns {Promise<Uploaded>}
 */
export async function upload(file, signal, progress) {
  const key = randomBytes(KEY_BYTES);
  const total = fileLength(file.size);
  const { address, media } = await announce(total, signal);
  const remove = () => void ask("DELETE", address, { headers: TUS, keepalive: true }).catch(() => {});
  try {
    let at = 0;
    for await (const part of encrypt(file, key)) {
      await append(address, at, part, signal);
      at += part.length;
      progress(at / total);
    }
  } catch (error) {
    remove();
    throw error;
  }
  return { media, key: toBase64Url(key), remove };
}

/**
 * Fetches a file from the relay; a connection that breaks is gone on with.
 * @param {{ media: string, key: string }} from @param {number} size Of the content.
 * @param {AbortSignal} signal @param {(content: Uint8Array<ArrayBuffer>[]) => void} take Is handed what was checked, in order.
 * @returns {Promise<() => Promise<unknown>>} Says that the file has arrived; the relay then deletes it.
 * @throws {Damaged} It is not what the sender put there.
 */
export async function download(from, size, signal, take) {
  const url = `/v1/media/${from.media}`;
  const opening = await Opening.begin(fromBase64Url(from.key), size);
  const patience = new Patience(signal);
  let claim = "";
  const farewell = () => ask("DELETE", url, { headers: { "Media-Claim": claim }, signal: AbortSignal.timeout(FAREWELL_DUE) }).catch(() => {});
  while (!opening.isDone) {
    const before = opening.received;
    try {
      const answer = await ask("GET", url, { signal, headers: claim ? { "Media-Claim": claim, Range: `bytes=${before}-` } : {} });
      claim ||= answer.headers.get("Media-Claim") ?? "";
      await read(answer, opening, take);
    } catch (error) {
      if (opening.received > before) {
        patience.renew();
      }
      await patience.after(error).catch(reason => {
        farewell();
        throw reason;
      });
    }
  }
  return farewell;
}

/** @param {Response} answer @param {Opening} opening @param {(content: Uint8Array<ArrayBuffer>[]) => void} take */
async function read(answer, opening, take) {
  if (Number(answer.headers.get("Content-Length")) !== opening.total - opening.received) {
    throw new Damaged("It has another length than the sender's.");
  }
  const body = /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ (answer.body).getReader();
  try {
    for (let next = await body.read(); !next.done; next = await body.read()) {
      take(await opening.take(next.value));
    }
  } finally {
    // Of a file that is not right the rest need not come.
    body.cancel().catch(() => {});
  }
  if (!opening.isDone) {
    throw new Error("The connection broke.");
  }
}
