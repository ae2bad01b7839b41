// @ts-check
// Files to one other member. Spec: docs/protocol/transfer.md.
import { CHUNK_BYTES, hashOf, MAX_FILE_BYTES, MAX_NAME, toChunk } from "./chunks.js";
import { randomId } from "./encoding.js";
import { MAX_CONTENT_BYTES } from "./media.js";
import { upload } from "./media-relay.js";

// Read from the disk at once.
const BLOCK_BYTES = 64 * CHUNK_BYTES;
const ENOUGH_WAITING = 1024 * 1024;

/** @typedef {import("./transfer.js").TransferChange} TransferChange */

/**
 * @typedef {object} Outgoing
 * @property {TransferChange} change
 * @property {File} file
 * @property {string} hash
 * @property {number} run Of those that began to send it, only the last goes on.
 * @property {boolean} hasBegun Whether any of it was sent over a connection.
 * @property {AbortController} [uploading]
 * @property {import("./media-relay.js").Uploaded} [uploaded]
 */

export class Sending {
  /** @type {Map<string, Outgoing>} */ #all = new Map();
  #runs = 0;

  /** @param {import("./transfer.js").Paths} paths @param {(change: TransferChange) => void} changed @param {() => void} stranded */
  constructor(paths, changed, stranded) {
    this.paths = paths;
    this.changed = changed;
    this.stranded = stranded;
  }

  /** Of those that are not over. */
  get count() {
    return this.#all.size;
  }

  /** Whether a file waits for the connection that could go through the relay. */
  get isStranded() {
    return this.#stranded().length > 0;
  }

  /** @param {File} file */
  async send(file) {
    if (file.size > MAX_FILE_BYTES) {
      throw new Error("Files of up to 256 MiB can be sent.");
    }
    /** @type {TransferChange} */
    const change = { id: randomId(), direction: "out", name: file.name.slice(0, MAX_NAME), size: file.size, moved: 0, way: "direct", state: "offered" };
    const out = { change, file, hash: await hashOf(file), run: 0, hasBegun: false };
    this.#all.set(change.id, out);
    this.#offer(out);
    this.changed(change);
  }

  /** @param {any} message */
  receive(message) {
    const out = this.#all.get(message.id);
    if (!out) {
      return;
    }
    const { change } = out;
    if (message.kind === "file-accept" && Number.isSafeInteger(message.offset) && message.offset >= 0 && message.offset <= change.size) {
      this.#onAccept(out, message.offset);
    } else if (message.kind === "file-decline") {
      this.#finish(out, change.state === "offered" ? "declined" : "lost");
    } else if (message.kind === "file-done") {
      this.#finish(out, message.ok === true ? "done" : "damaged");
    }
  }

  /** Says again what may not have been heard. */
  repeat() {
    for (const out of this.#all.values()) {
      if (out.uploaded) {
        this.#sayRelayed(out);
      } else if (!out.uploading) {
        this.#offer(out);
      }
    }
  }

  /** The connection does not come back: what went over it goes through the relay. */
  giveUpWaiting() {
    this.#stranded().forEach(out => this.#relay(out));
  }

  pause() {
    for (const { change } of this.#all.values()) {
      if (change.state === "moving" && change.way === "direct") {
        this.#change(change, { state: "paused" });
      }
    }
  }

  end() {
    this.#all.forEach(out => this.#takeBack(out));
    this.#all.clear();
  }

  #stranded() {
    return [...this.#all.values()].filter(out => !out.uploading && out.change.size <= MAX_CONTENT_BYTES && (out.hasBegun || out.change.state === "no-relay"));
  }

  /** @param {Outgoing} out @param {number} offset */
  #onAccept(out, offset) {
    const channel = this.paths.channel();
    if (out.uploaded) {
      this.#sayRelayed(out);
    } else if (!out.uploading && out.change.size > 0) {
      if (channel) {
        this.#stream(out, channel, offset);
      } else if (out.change.size > MAX_CONTENT_BYTES) {
        this.#change(out.change, { state: "too-large" });
      } else if (out.hasBegun) {
        this.stranded();
      } else {
        this.#relay(out);
      }
    }
  }

  /** @param {Outgoing} out @param {RTCDataChannel} channel @param {number} offset */
  async #stream(out, channel, offset) {
    const run = (out.run = ++this.#runs);
    const { change } = out;
    out.hasBegun = true;
    let [block, begin] = [new Uint8Array(), offset];
    for (let at = offset; at < change.size; at += CHUNK_BYTES) {
      if (at >= begin + block.length) {
        [block, begin] = [new Uint8Array(await out.file.slice(at, at + BLOCK_BYTES).arrayBuffer()), at];
      }
      const data = block.subarray(at - begin, at - begin + CHUNK_BYTES);
      if (channel.bufferedAmount > ENOUGH_WAITING) {
        await roomIn(channel);
      }
      // Accepted again meanwhile, from elsewhere; or the connection is gone.
      if (out.run !== run || channel.readyState !== "open") {
        return;
      }
      channel.send(toChunk(change.id, at, data));
      this.#change(change, { moved: at + data.length, state: "moving" });
    }
  }

  /** @param {Outgoing} out */
  async #relay(out) {
    const { change } = out;
    // Ends what still waits for a channel.
    out.run = ++this.#runs;
    const { signal } = (out.uploading = new AbortController());
    this.#change(change, { moved: 0, way: "relay", state: "moving" });
    try {
      const uploaded = await upload(out.file, signal, share => this.#change(change, { moved: Math.round(share * change.size) }));
      if (signal.aborted) {
        uploaded.remove();
      } else {
        out.uploaded = uploaded;
        this.#sayRelayed(out);
      }
    } catch {
      if (!signal.aborted) {
        out.uploading = undefined;
        this.#change(change, { way: "direct", state: "no-relay" });
        if (this.paths.channel()) {
          this.#offer(out);
        } else {
          this.stranded();
        }
      }
    }
  }

  /** @param {Outgoing} out */
  #offer({ change, hash }) {
    this.paths.say({ kind: "file-offer", id: change.id, name: change.name, size: change.size, sha256: hash });
  }

  /** @param {Outgoing} out */
  #sayRelayed({ change, uploaded }) {
    this.paths.say({ kind: "file-relayed", id: change.id, media: uploaded?.media, key: uploaded?.key });
  }

  /** @param {Outgoing} out @param {"done" | "declined" | "damaged" | "lost"} state */
  #finish(out, state) {
    this.#all.delete(out.change.id);
    this.#takeBack(out);
    this.changed({ ...out.change, state });
  }

  /** @param {Outgoing} out */
  #takeBack(out) {
    out.run = ++this.#runs;
    out.uploading?.abort();
    out.uploaded?.remove();
  }

  /** @param {TransferChange} change @param {Partial<TransferChange>} now */
  #change(change, now) {
    this.changed(Object.assign(change, now));
  }
}

/** @param {RTCDataChannel} channel */
function roomIn(channel) {
  return new Promise(resolve => {
    channel.addEventListener("bufferedamountlow", () => resolve(undefined), { once: true });
    channel.addEventListener("close", () => resolve(undefined), { once: true });
  });
}
