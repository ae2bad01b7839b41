// @ts-check
// Files from page to page over the data channels of a link. Spec: docs/protocol/transfer.md.
import { concat, fromBase64Url, randomId, toBase64Url } from "./encoding.js";

export const MAX_FILE_BYTES = 256 * 1024 * 1024;

const ID_BYTES = 16;
const HEADER_BYTES = ID_BYTES + 8;
const CHUNK_BYTES = 16_384 - HEADER_BYTES;
// Read from the disk at once.
const BLOCK_BYTES = 64 * CHUNK_BYTES;
const ENOUGH_WAITING = 1024 * 1024;
const FEW_WAITING = 256 * 1024;
const MAX_NAME = 255;
const MAX_OFFERS = 16;

/**
 * @typedef {object} TransferChange
 * @property {string} id
 * @property {"in" | "out"} direction
 * @property {string} name
 * @property {number} size
 * @property {number} moved Bytes so far.
 * @property {"offered" | "moving" | "paused" | "checking" | "done" | "declined" | "damaged"} state
 * @property {Blob} [file] When a file has come and its hash is right.
 */

/** @param {Blob} blob */
async function hashOf(blob) {
  return toBase64Url(new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer())));
}

/** All files between this page and one other member; outlives a connection. */
export class Transfers {
  /** @type {Map<string, { change: TransferChange, file: File, hash: string, run: number }>} */ #outgoing = new Map();
  /** @type {Map<string, { change: TransferChange, parts: Uint8Array<ArrayBuffer>[], hash: string, isAccepted: boolean }>} */ #incoming = new Map();
  /** @type {(message: object) => void} */ #say = () => {};
  /** @type {RTCDataChannel | null} */ #channel = null;
  #runs = 0;

  /** @param {(change: TransferChange) => void} changed */
  constructor(changed) {
    this.changed = changed;
  }

  /**
   * A connection is there, the first or another one: what is unfinished is offered again and goes on where it was.
   * @param {(message: object) => void} say @param {RTCDataChannel} channel
   */
  attach(say, channel) {
    this.#say = say;
    this.#channel = channel;
    channel.bufferedAmountLowThreshold = FEW_WAITING;
    channel.onmessage = event => this.#onChunk(new Uint8Array(event.data));
    for (const { change, hash } of this.#outgoing.values()) {
      this.#offer(change, hash);
    }
  }

  /** @param {File} file */
  async send(file) {
    if (file.size > MAX_FILE_BYTES) {
      throw new Error("Files of up to 256 MiB can be sent.");
    }
    /** @type {TransferChange} */
    const change = { id: randomId(), direction: "out", name: file.name.slice(0, MAX_NAME), size: file.size, moved: 0, state: "offered" };
    const hash = await hashOf(file);
    this.#outgoing.set(change.id, { change, file, hash, run: 0 });
    this.#offer(change, hash);
    this.changed(change);
  }

  /** @param {string} id */
  accept(id) {
    const one = this.#incoming.get(id);
    if (one) {
      one.isAccepted = true;
      this.#goOn(one.change);
    }
  }

  /** @param {string} id */
  decline(id) {
    const one = this.#incoming.get(id);
    if (one) {
      this.#incoming.delete(id);
      this.#say({ kind: "file-decline", id });
      this.changed({ ...one.change, state: "declined" });
    }
  }

  /** @param {any} message Of the control channel. */
  receive(message) {
    const out = this.#outgoing.get(message.id);
    if (message.kind === "file-offer") {
      this.#onOffer(message);
    } else if (message.kind === "file-accept" && out && Number.isSafeInteger(message.offset) && message.offset >= 0 && message.offset <= out.change.size) {
      out.run = ++this.#runs;
      this.#stream(out, message.offset, out.run);
    } else if (message.kind === "file-decline" && out) {
      this.#finish(out.change, "declined");
    } else if (message.kind === "file-done" && out) {
      this.#finish(out.change, message.ok === true ? "done" : "damaged");
    }
  }

  /** @param {any} offer */
  #onOffer(offer) {
    const known = this.#incoming.get(offer.id);
    if (known) {
      if (known.isAccepted) {
        this.#goOn(known.change);
      }
      return;
    }
    const isGood = typeof offer.id === "string" && /^[\w-]{22}$/.test(offer.id) && /^[\w-]{43}$/.test(offer.sha256)
      && Number.isSafeInteger(offer.size) && offer.size >= 0 && offer.size <= MAX_FILE_BYTES;
    if (!isGood || this.#incoming.size >= MAX_OFFERS) {
      this.#say({ kind: "file-decline", id: String(offer.id).slice(0, 22) });
      return;
    }
    // Only the last part of a path, and nothing that would turn the line around.
    const name = String(offer.name).split(/[\\/]/).pop()?.replace(/[\p{Cc}\p{Cf}]/gu, "").slice(0, MAX_NAME) || "file";
    /** @type {TransferChange} */
    const change = { id: offer.id, direction: "in", name, size: offer.size, moved: 0, state: "offered" };
    this.#incoming.set(change.id, { change, parts: [], hash: offer.sha256, isAccepted: false });
    this.changed(change);
  }

  /** @param {Uint8Array<ArrayBuffer>} chunk */
  #onChunk(chunk) {
    if (chunk.length <= HEADER_BYTES) {
      return;
    }
    const one = this.#incoming.get(toBase64Url(chunk.subarray(0, ID_BYTES)));
    const at = Number(new DataView(chunk.buffer, chunk.byteOffset).getBigUint64(ID_BYTES));
    const data = chunk.slice(HEADER_BYTES);
    // In order or not at all: what comes twice after a break is dropped here.
    if (!one?.isAccepted || at !== one.change.moved || at + data.length > one.change.size) {
      return;
    }
    one.parts.push(data);
    one.change.moved += data.length;
    this.changed(one.change);
    if (one.change.moved === one.change.size) {
      this.#check(one);
    }
  }

  /** @param {{ change: TransferChange, parts: Uint8Array<ArrayBuffer>[], hash: string }} one */
  async #check(one) {
    one.change.state = "checking";
    const file = new Blob(one.parts, { type: "application/octet-stream" });
    const ok = await hashOf(file) === one.hash;
    this.#incoming.delete(one.change.id);
    this.#say({ kind: "file-done", id: one.change.id, ok });
    this.changed(ok ? { ...one.change, state: "done", file } : { ...one.change, state: "damaged" });
  }

  /** @param {{ change: TransferChange, file: File, run: number }} one @param {number} offset @param {number} run */
  async #stream(one, offset, run) {
    const channel = /** @type {RTCDataChannel} */ (this.#channel);
    const { change } = one;
    change.state = "moving";
    let [block, begin] = [new Uint8Array(), offset];
    for (let at = offset; at < change.size; at += CHUNK_BYTES) {
      if (at >= begin + block.length) {
        [block, begin] = [new Uint8Array(await one.file.slice(at, at + BLOCK_BYTES).arrayBuffer()), at];
      }
      const data = block.subarray(at - begin, at - begin + CHUNK_BYTES);
      if (channel.bufferedAmount > ENOUGH_WAITING) {
        await roomIn(channel);
      }
      // Accepted again meanwhile, from elsewhere; or the connection is gone.
      if (one.run !== run || channel.readyState !== "open") {
        return;
      }
      const place = new Uint8Array(8);
      new DataView(place.buffer).setBigUint64(0, BigInt(at));
      channel.send(concat(fromBase64Url(change.id), place, data));
      change.moved = at + data.length;
      this.changed(change);
    }
  }

  /** @param {TransferChange} change */
  #goOn(change) {
    change.state = "moving";
    this.#say({ kind: "file-accept", id: change.id, offset: change.moved });
    this.changed(change);
    const one = this.#incoming.get(change.id);
    if (one && change.size === 0) {
      this.#check(one);
    }
  }

  /** The connection is gone; another one may come. */
  pause() {
    this.#say = () => {};
    for (const { change } of [...this.#outgoing.values(), ...this.#incoming.values()]) {
      if (change.state === "moving") {
        change.state = "paused";
        this.changed(change);
      }
    }
  }

  /** @param {TransferChange} change @param {string} sha256 */
  #offer(change, sha256) {
    this.#say({ kind: "file-offer", id: change.id, name: change.name, size: change.size, sha256 });
  }

  /** @param {TransferChange} change @param {"done" | "declined" | "damaged"} state */
  #finish(change, state) {
    this.#outgoing.delete(change.id);
    this.changed({ ...change, state });
  }
}

/** @param {RTCDataChannel} channel */
function roomIn(channel) {
  return new Promise(resolve => {
    channel.addEventListener("bufferedamountlow", () => resolve(undefined), { once: true });
    channel.addEventListener("close", () => resolve(undefined), { once: true });
  });
}
