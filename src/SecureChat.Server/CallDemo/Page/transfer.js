// @ts-check
// Files from page to page: over the data channels of a link, or through the media relay. Spec: docs/protocol/transfer.md.
import { Receiving } from "./receiving.js";
import { Sending } from "./sending.js";

const FEW_WAITING = 256 * 1024;
// A connection that is gone for longer is not waited for.
const PATIENCE = 20_000;

/**
 * @typedef {object} TransferChange
 * @property {string} id
 * @property {"in" | "out"} direction
 * @property {string} name
 * @property {number} size
 * @property {number} moved Bytes so far.
 * @property {"direct" | "relay"} way
 * @property {"offered" | "moving" | "paused" | "too-large" | "no-relay" | "checking" | "done" | "declined" | "damaged" | "lost"} state
 * @property {Blob} [file] When a file has come and its hash is right.
 */

/**
 * How the other member is reached.
 * @typedef {object} Paths
 * @property {(message: object) => void} say Whether or not there is a connection; lost when the member is away.
 * @property {() => RTCDataChannel | null} channel That of files, while it is up and its certificate was compared.
 */

/** All files between this page and one other member; outlives a connection. */
export class Transfers {
  /** @type {number | undefined} */ #patience;
  #wasUp = false;

  /** @param {Paths} paths @param {(change: TransferChange) => void} changed */
  constructor(paths, changed) {
    this.paths = paths;
    this.sending = new Sending(paths, changed, () => this.look());
    this.receiving = new Receiving(paths, changed);
  }

  get isUnfinished() {
    return this.sending.count + this.receiving.count > 0;
  }

  /** A connection is there, the first or another one. @param {RTCDataChannel} channel */
  attach(channel) {
    channel.bufferedAmountLowThreshold = FEW_WAITING;
    channel.onmessage = event => this.receiving.take(new Uint8Array(event.data));
    this.look();
  }

  /** The connection may have come up, or be gone: what is unfinished goes on where it was; or, after a while, through the relay. */
  look() {
    const isUp = this.paths.channel() !== null;
    if (isUp) {
      clearTimeout(this.#patience);
      this.#patience = undefined;
    } else if (this.sending.isStranded) {
      this.#patience ??= setTimeout(() => {
        this.#patience = undefined;
        this.sending.giveUpWaiting();
      }, PATIENCE);
    }
    if (isUp !== this.#wasUp) {
      this.#wasUp = isUp;
      this.sending.repeat();
      if (!isUp) {
        // The last of it went into a connection that was dying.
        this.receiving.repeat();
      }
    }
  }

  /** The member is in the room again: what was said meanwhile did not reach it. */
  greet() {
    if (!this.paths.channel()) {
      this.sending.repeat();
    }
  }

  /** @param {any} message Of the control channel, or a signal. */
  receive(message) {
    if (message.kind === "file-offer" || message.kind === "file-relayed") {
      this.receiving.receive(message);
    } else {
      this.sending.receive(message);
    }
  }

  /** The connection is gone; another one may come. */
  pause() {
    this.sending.pause();
    this.receiving.pause();
    this.look();
  }

  /** The member is gone, or is to get nothing more. */
  end() {
    clearTimeout(this.#patience);
    this.sending.end();
    this.receiving.end();
  }
}
