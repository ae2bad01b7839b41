// @ts-check
// A file as the media relay holds it: encrypted on its way in, opened on its way out. Spec: docs/protocol/media.md#format-of-a-file.
import { concat, utf8 } from "./encoding.js";

export const KEY_BYTES = 32;
export const MAX_CONTENT_BYTES = 96 * 1024 * 1024;

const HEADER_BYTES = 32;
const SEGMENT_BYTES = 65_536;
const TAG_BYTES = 16;
const SMALLEST_BUCKET = 4096;
// Encrypted together, and in memory together.
const SEGMENTS_AT_ONCE = 16;

/** The file is not the one that was sent: changed, cut, or another one. */
export class Damaged extends Error {}

/** @param {number} content Bytes, at least one. */
export function paddedLength(content) {
  const step = 2 ** (31 - Math.clz32(content) - 3);
  return content <= SMALLEST_BUCKET ? SMALLEST_BUCKET : Math.ceil(content / step) * step;
}

/** @param {number} content Bytes, at least one. */
export function fileLength(content) {
  const padded = paddedLength(content);
  return HEADER_BYTES + padded + Math.ceil(padded / SEGMENT_BYTES) * TAG_BYTES;
}

/** @param {Uint8Array<ArrayBuffer>} key */
async function derive(key) {
  const root = await crypto.subtle.importKey("raw", key, "HKDF", false, ["deriveBits"]);
  const info = utf8("secureChat media v1");
  const bits = new Uint8Array(await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info }, root, 512));
  const cipher = await crypto.subtle.importKey("raw", bits.slice(0, KEY_BYTES), "AES-GCM", false, ["encrypt", "decrypt"]);
  return { cipher, commitment: bits.slice(KEY_BYTES) };
}

/** @param {number} segment @param {boolean} isLast */
function parameters(segment, isLast) {
  const iv = new Uint8Array(12);
  new DataView(iv.buffer).setBigUint64(3, BigInt(segment));
  iv[11] = isLast ? 1 : 0;
  return { name: "AES-GCM", iv };
}

/**
 * The encrypted file, part by part. Each segment is encrypted once: the same key over a content that changed meanwhile would give it away.
 * @param {Blob} content @param {Uint8Array<ArrayBuffer>} key Made for this file alone.
 */
export async function* encrypt(content, key) {
  const { cipher, commitment } = await derive(key);
  const padded = paddedLength(content.size);
  let part = [commitment];
  for (let at = 0; at < padded; at += SEGMENT_BYTES) {
    const isLast = at + SEGMENT_BYTES >= padded;
    const segment = new Uint8Array(Math.min(SEGMENT_BYTES, padded - at));
    segment.set(new Uint8Array(await content.slice(at, at + SEGMENT_BYTES).arrayBuffer()));
    part.push(new Uint8Array(await crypto.subtle.encrypt(parameters(at / SEGMENT_BYTES, isLast), cipher, segment)));
    if (isLast || part.length >= SEGMENTS_AT_ONCE) {
      yield concat(...part);
      part = [];
    }
  }
}

/** Takes in an encrypted file as it comes, and gives out only what was checked. */
export class Opening {
  #pending = new Uint8Array();
  #hasHeader = false;
  #segment = 0;

  /** @param {CryptoKey} cipher @param {Uint8Array} commitment @param {number} size */
  constructor(cipher, commitment, size) {
    this.cipher = cipher;
    this.commitment = commitment;
    this.size = size;
    this.total = fileLength(size);
    /** Bytes of the encrypted file that were taken in. */
    this.received = 0;
  }

  /** @param {Uint8Array<ArrayBuffer>} key @param {number} size Of the content. */
  static async begin(key, size) {
    const { cipher, commitment } = await derive(key);
    return new Opening(cipher, commitment, size);
  }

  /** Whether all of it came, and was right. */
  get isDone() {
    return this.#hasHeader && this.#left() <= 0;
  }

  /**
   * @param {Uint8Array<ArrayBuffer>} bytes Those that follow.
   * @returns {Promise<Uint8Array<ArrayBuffer>[]>} The content that is complete and checked now.
   * @throws {Damaged}
   */
  async take(bytes) {
    this.received += bytes.length;
    if (this.received > this.total) {
      throw new Damaged("There is more of it than there should be.");
    }
    this.#pending = concat(this.#pending, bytes);
    const opened = [];
    for (let next = this.#next(); next > 0 && this.#pending.length >= next; next = this.#next()) {
      const piece = this.#pending.slice(0, next);
      this.#pending = this.#pending.slice(next);
      const content = this.#hasHeader ? await this.#open(piece) : this.#compare(piece);
      if (content.length > 0) {
        opened.push(content);
      }
    }
    return opened;
  }

  // The header, then segments; 0 after the last one.
  #next() {
    return this.#hasHeader ? Math.min(SEGMENT_BYTES + TAG_BYTES, this.#left()) : HEADER_BYTES;
  }

  #left() {
    return this.total - HEADER_BYTES - this.#segment * (SEGMENT_BYTES + TAG_BYTES);
  }

  // All of it in any case: how long it takes must not tell where it differs.
  /** @param {Uint8Array<ArrayBuffer>} header */
  #compare(header) {
    if (header.reduce((sum, one, index) => sum | (one ^ this.commitment[index]), 0) !== 0) {
      throw new Damaged("Another key than this one made it.");
    }
    this.#hasHeader = true;
    return new Uint8Array();
  }

  /** @param {Uint8Array<ArrayBuffer>} piece */
  async #open(piece) {
    const begin = this.#segment * SEGMENT_BYTES;
    const isLast = this.#left() <= SEGMENT_BYTES + TAG_BYTES;
    const opened = await crypto.subtle.decrypt(parameters(this.#segment, isLast), this.cipher, piece).catch(() => {
      throw new Damaged("A segment was changed.");
    });
    this.#segment++;
    return new Uint8Array(opened).slice(0, Math.max(0, this.size - begin));
  }
}
