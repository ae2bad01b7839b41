// @ts-check
// Files as they are offered, and cut for a data channel. Spec: docs/protocol/transfer.md.
import { concat, fromBase64Url, toBase64Url } from "./encoding.js";

export const MAX_FILE_BYTES = 256 * 1024 * 1024;
export const MAX_NAME = 255;

const ID_BYTES = 16;
const HEADER_BYTES = ID_BYTES + 8;
const MESSAGE_BYTES = 16_384;

export const CHUNK_BYTES = MESSAGE_BYTES - HEADER_BYTES;

/** @param {string} id @param {number} offset @param {Uint8Array} data */
export function toChunk(id, offset, data) {
  const place = new Uint8Array(8);
  new DataView(place.buffer).setBigUint64(0, BigInt(offset));
  return concat(fromBase64Url(id), place, data);
}

/** @param {Uint8Array<ArrayBuffer>} chunk @returns {{ id: string, offset: number, data: Uint8Array<ArrayBuffer> } | null} Null when nothing is in it. */
export function fromChunk(chunk) {
  return chunk.length <= HEADER_BYTES ? null : {
    id: toBase64Url(chunk.subarray(0, ID_BYTES)),
    offset: Number(new DataView(chunk.buffer, chunk.byteOffset).getBigUint64(ID_BYTES)),
    data: chunk.slice(HEADER_BYTES),
  };
}

/** @param {Blob} blob */
export async function hashOf(blob) {
  return toBase64Url(new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer())));
}
