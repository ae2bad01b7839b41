// @ts-check
// Bytes, text and their spellings.

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
export const utf8 = text => /** @type {Uint8Array<ArrayBuffer>} */ (encoder.encode(text));

/** @param {BufferSource} bytes @throws {TypeError} when it is not UTF-8 */
export const fromUtf8 = bytes => decoder.decode(bytes);

/** @param {Uint8Array} bytes */
export function toBase64(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) {
    text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  }
  return btoa(text);
}

/** @param {string} text @throws {DOMException} when it is not base64 */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
}

/** @param {Uint8Array} bytes */
export const toBase64Url = bytes => toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

/** @param {string} text @throws {DOMException} when it is not base64url */
export const fromBase64Url = text => fromBase64(text.replaceAll("-", "+").replaceAll("_", "/"));

/** @param {Uint8Array[]} parts @returns {Uint8Array<ArrayBuffer>} */
export function concat(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** @param {number} count */
export const randomBytes = count => crypto.getRandomValues(new Uint8Array(count));

/** A name that nobody guesses and that says nothing. */
export const randomId = () => toBase64Url(randomBytes(16));
