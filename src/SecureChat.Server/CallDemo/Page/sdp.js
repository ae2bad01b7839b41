// @ts-check
// What a session description must be before it leaves or is believed. Spec: docs/protocol/calls.md#what-a-client-must-do.

const FINGERPRINT = /^sha-256 ([0-9A-F]{2}(?::[0-9A-F]{2}){31})$/i;

/** @param {string} sdp */
const linesOf = sdp => sdp.split("\n").map(line => line.replace(/\r$/, "")).filter(line => line.length > 0);

/**
 * The one certificate that a description names, as upper-case hex pairs.
 * @param {string} sdp
 * @returns {string | null} Null when it names none, several, or one by another hash than SHA-256.
 */
export function fingerprintOf(sdp) {
  const lines = linesOf(sdp);
  // A return within a line would be one line to us and two to somebody else.
  if (lines.some(line => /[\u0000-\u001f]/.test(line))) {
    return null;
  }
  const named = lines.filter(line => /^a=fingerprint:/i.test(line)).map(line => FINGERPRINT.exec(line.slice(14).trim())?.[1]?.toUpperCase());
  return named.length > 0 && named[0] !== undefined && named.every(one => one === named[0]) ? named[0] : null;
}

/**
 * Opus at a constant bit rate that never pauses, and no audio levels in headers: packets then say nothing by their lengths and times.
 * @param {string} sdp
 */
export function harden(sdp) {
  const lines = linesOf(sdp);
  const opus = new Set(lines.map(line => /^a=rtpmap:(\d+) opus\//i.exec(line)?.[1]).filter(payload => payload !== undefined));
  const described = new Set();
  const hardened = [];
  for (const line of lines) {
    const format = /^a=fmtp:(\d+) (.*)$/.exec(line);
    if (/^a=extmap:.*-audio-level/i.test(line)) {
      continue;
    }
    if (format && opus.has(format[1])) {
      described.add(format[1]);
      hardened.push(`a=fmtp:${format[1]} ${constant(format[2])}`);
    } else {
      hardened.push(line);
    }
  }
  for (const payload of opus) {
    if (!described.has(payload)) {
      const at = hardened.findIndex(line => line.startsWith(`a=rtpmap:${payload} `));
      hardened.splice(at + 1, 0, `a=fmtp:${payload} ${constant("")}`);
    }
  }
  return hardened.map(line => line + "\r\n").join("");
}

/** @param {string} parameters */
function constant(parameters) {
  const kept = parameters.split(";").map(one => one.trim()).filter(one => one && !/^(cbr|usedtx)\s*(=|$)/i.test(one));
  return [...kept, "cbr=1", "usedtx=0"].join(";");
}
