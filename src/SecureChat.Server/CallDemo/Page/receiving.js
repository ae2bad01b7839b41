// @ts-check
// Files from one other member. Spec: docs/protocol/transfer.md.
import { fromChunk, hashOf, MAX_FILE_BYTES, MAX_NAME } from "./chunks.js";
import { Damaged, MAX_CONTENT_BYTES } from "./media.js";
import { download } from "./media-relay.js";

const MAX_OFFERS = 16;
const MAX_REMEMBERED = 256;

/** @typedef {import("./transfer.js").TransferChange} TransferChange */

/**
 * @typedef {object} Incoming
 * @property {TransferChange} change
 * @property {Uint8Array<ArrayBuffer>[]} parts
 * @property {string} hash
 * @property {boolean} isAccepted
 * @property {AbortController} [downloading]
 */

export class Receiving {
  /** @type {Map<string, Incoming>} */ #all = new Map();
  /** The last word about each that is over: what is offered again is not taken twice. @type {Map<string, object>} */ #over = new Map();

  /** @param {import("./transfer.js").Paths} paths @param {(change: TransferChange) => void} changed */
  constructor(paths, changed) {
    this.paths = paths;
    this.changed = changed;
  }

  /** Of those that are not over. */
  get count() {
    return this.#all.size;
  }

  /** @param {string} id */
  accept(id) {
    const one = this.#all.get(id);
    if (one) {
      one.isAccepted = true;
      this.#goOn(one);
    }
  }

  /** @param {string} id */
  decline(id) {
    const one = this.#all.get(id);
    if (one) {
      this.#close(one, { kind: "file-decline", id }, { state: "declined" });
    }
  }

  /** @param {any} message */
  receive(message) {
    const one = this.#all.get(message.id);
    const lastWord = this.#over.get(message.id);
    if (lastWord) {
      this.paths.say(lastWord);
    } else if (one && isWaiting(one)) {
      if (message.kind === "file-relayed") {
        this.#fetch(one, message);
      } else {
        this.#goOn(one);
      }
    } else if (!one && message.kind === "file-offer") {
      this.#onOffer(message);
    }
  }

  /** @param {Uint8Array<ArrayBuffer>} bytes Of the data channel. */
  take(bytes) {
    const chunk = fromChunk(bytes);
    const one = chunk && this.#all.get(chunk.id);
    // In order or not at all: what comes twice after a break is dropped here.
    if (!one || !isWaiting(one) || chunk.offset !== one.change.moved || chunk.offset + chunk.data.length > one.change.size) {
      return;
    }
    one.change.state = "moving";
    this.#add(one, chunk.data);
    if (one.change.moved === one.change.size) {
      this.#check(one);
    }
  }

  /** Says again what may not have been heard. */
  repeat() {
    [...this.#all.values()].filter(isWaiting).forEach(one => this.#goOn(one));
  }

  pause() {
    for (const { change } of this.#all.values()) {
      if (change.state === "moving" && change.way === "direct") {
        change.state = "paused";
        this.changed(change);
      }
    }
  }

  end() {
    this.#all.forEach(one => one.downloading?.abort());
    this.#all.clear();
  }

  /** @param {any} offer */
  #onOffer(offer) {
    const isGood = typeof offer.id === "string" && /^[\w-]{22}$/.test(offer.id) && /^[\w-]{43}$/.test(offer.sha256)
      && Number.isSafeInteger(offer.size) && offer.size >= 0 && offer.size <= MAX_FILE_BYTES;
    if (!isGood || this.#all.size >= MAX_OFFERS) {
      this.paths.say({ kind: "file-decline", id: String(offer.id).slice(0, 22) });
      return;
    }
    // Only the last part of a path, and nothing that would turn the line around.
    const name = String(offer.name).split(/[\\/]/).pop()?.replace(/[\p{Cc}\p{Cf}]/gu, "").slice(0, MAX_NAME) || "file";
    /** @type {TransferChange} */
    const change = { id: offer.id, direction: "in", name, size: offer.size, moved: 0, way: "direct", state: "offered" };
    this.#all.set(change.id, { change, parts: [], hash: offer.sha256, isAccepted: false });
    this.changed(change);
  }

  /** @param {Incoming} one */
  #goOn(one) {
    const { change } = one;
    change.state = this.paths.channel() ? "moving" : "paused";
    this.paths.say({ kind: "file-accept", id: change.id, offset: change.moved });
    this.changed(change);
    if (change.size === 0) {
      this.#check(one);
    }
  }

  /** @param {Incoming} one @param {Uint8Array<ArrayBuffer>} data */
  #add(one, data) {
    one.parts.push(data);
    one.change.moved += data.length;
    this.changed(one.change);
  }

  /** @param {Incoming} one @param {any} relayed */
  async #fetch(one, relayed) {
    const { change } = one;
    const { signal } = (one.downloading = new AbortController());
    one.parts = [];
    this.changed(Object.assign(change, { moved: 0, way: "relay", state: "moving" }));
    try {
      if (!/^[\w-]{32}$/.test(relayed.media) || !/^[\w-]{43}$/.test(relayed.key) || change.size === 0 || change.size > MAX_CONTENT_BYTES) {
        throw new Damaged("It leads to no file.");
      }
      await this.#check(one, await download(relayed, change.size, signal, content => content.forEach(data => this.#add(one, data))));
    } catch (error) {
      if (error instanceof Damaged) {
        this.#close(one, { kind: "file-done", id: change.id, ok: false }, { state: "damaged" });
      } else if (!signal.aborted) {
        this.#close(one, { kind: "file-decline", id: change.id }, { state: "lost" });
      }
    }
  }

  /** @param {Incoming} one @param {() => Promise<unknown>} [farewell] To the relay. */
  async #check(one, farewell) {
    const { change } = one;
    change.state = "checking";
    const file = new Blob(one.parts, { type: "application/octet-stream" });
    const ok = await hashOf(file) === one.hash;
    await farewell?.();
    this.#close(one, { kind: "file-done", id: change.id, ok }, ok ? { state: "done", file } : { state: "damaged" });
  }

  /** @param {Incoming} one @param {object} lastWord @param {Partial<TransferChange>} end */
  #close(one, lastWord, end) {
    this.#all.delete(one.change.id);
    this.#over.set(one.change.id, lastWord);
    if (this.#over.size > MAX_REMEMBERED) {
      this.#over.delete(this.#over.keys().next().value ?? "");
    }
    this.paths.say(lastWord);
    this.changed({ ...one.change, ...end });
  }
}

/** For its bytes, by whichever way. @param {Incoming} one */
const isWaiting = one => one.isAccepted && !one.downloading && one.change.state !== "checking";
