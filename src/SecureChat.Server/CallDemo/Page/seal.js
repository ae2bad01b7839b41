// @ts-check
// What the server must not read: signals sealed under a key of the room. Spec: docs/protocol/calls.md#the-pages-seal.
import { concat, fromUtf8, randomBytes, utf8 } from "./encoding.js";

export const SECRET_BYTES = 32;

const HEADER_BYTES = 13;
const NONCE_BYTES = 12;
const VERSION = 1;
const PADDED_TO = 512;

/** The keys of a room, from the secret in its link. */
export class RoomKeys {
  /** @param {Uint8Array<ArrayBuffer>} capability @param {Uint8Array<ArrayBuffer>} room @param {CryptoKey} key */
  constructor(capability, room, key) {
    /** What the server is shown to enter. */
    this.capability = capability;
    this.room = room;
    this.key = key;
  }

  /** @param {Uint8Array<ArrayBuffer>} secret */
  static async derive(secret) {
    if (secret.length !== SECRET_BYTES) {
      throw new Error("A room's secret has 32 bytes.");
    }
    const root = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits", "deriveKey"]);
    /** @param {string} info */
    const from = info => ({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: utf8(info) });
    const capability = new Uint8Array(await crypto.subtle.deriveBits(from("securechat room capability"), root, 256));
    const key = await crypto.subtle.deriveKey(
      from("securechat room signals"), root, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
    const hash = await crypto.subtle.digest("SHA-256", concat(utf8("securechat room"), capability));
    return new RoomKeys(capability, new Uint8Array(hash).slice(0, 16), key);
  }
}

/** Seals what one page sends and opens what it receives; a signal that comes a second time is refused. */
export class Seal {
  /** @param {RoomKeys} keys */
  constructor(keys) {
    this.keys = keys;
    this.sent = 0n;
    /** The highest counter seen from each number. It outlives a join: the server chooses the numbers.
     * @type {Map<number, bigint>} */
    this.seen = new Map();
    /** What came and was sealed under no key of this room, or changed on its way. */
    this.unopened = 0;
  }

  /**
   * @param {number} from One's own number.
   * @param {number} to The recipient's, 0 for everybody.
   * @param {object} message
   */
  async seal(from, to, message) {
    const header = new Uint8Array(HEADER_BYTES);
    const view = new DataView(header.buffer);
    view.setUint8(0, VERSION);
    view.setUint32(1, to);
    view.setBigUint64(5, ++this.sent);
    const text = JSON.stringify(message);
    // Spaces are nothing to JSON; without them the length would tell an offer from a candidate.
    const padded = utf8(text + " ".repeat((PADDED_TO - (utf8(text).length % PADDED_TO)) % PADDED_TO));
    const iv = randomBytes(NONCE_BYTES);
    const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: this.#bound(from, header) }, this.keys.key, padded);
    return concat(header, iv, new Uint8Array(sealed));
  }

  /**
   * @param {number} from Whom the server names as the sender.
   * @param {number} self One's own number.
   * @param {Uint8Array<ArrayBuffer>} content
   * @returns {Promise<any>} The message; null when it is not what a member of the room sealed for this page, or was here before.
   */
  async open(from, self, content) {
    if (content.length <= HEADER_BYTES + NONCE_BYTES || content[0] !== VERSION) {
      this.unopened++;
      return null;
    }
    const header = content.slice(0, HEADER_BYTES);
    const view = new DataView(header.buffer);
    const [to, counter] = [view.getUint32(1), view.getBigUint64(5)];
    if ((to !== 0 && to !== self) || counter <= (this.seen.get(from) ?? 0n)) {
      return null;
    }
    try {
      const iv = content.slice(HEADER_BYTES, HEADER_BYTES + NONCE_BYTES);
      const opened = await crypto.subtle.decrypt(
        { name: "AES-GCM", iv, additionalData: this.#bound(from, header) }, this.keys.key, content.slice(HEADER_BYTES + NONCE_BYTES));
      const message = JSON.parse(fromUtf8(opened));
      this.seen.set(from, counter);
      return message;
    } catch {
      this.unopened++;
      return null;
    }
  }

  /** @param {number} from @param {Uint8Array} header */
  #bound(from, header) {
    const sender = new Uint8Array(4);
    new DataView(sender.buffer).setUint32(0, from);
    return concat(utf8("securechat room signal"), this.keys.room, sender, header);
  }
}
