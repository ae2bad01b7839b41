// @ts-check
// What WebRTC says about a connection.

/**
 * @typedef {object} Quality
 * @property {"good" | "fair" | "poor"} grade
 * @property {number | null} rtt Milliseconds.
 * @property {number} loss 0 to 1, of what should have come since the last look.
 * @property {boolean} isRelayed
 */

/**
 * The certificate that the other side showed in the handshake, spelled as in a description.
 * @param {RTCPeerConnection} connection
 * @returns {Promise<string>} Empty while none is known.
 */
export async function certificateShown(connection) {
  // Everything goes over the transport of the data channels: there is one bundle.
  const [certificate] = connection.sctp?.transport?.getRemoteCertificates?.() ?? [];
  if (certificate) {
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", certificate));
    return [...hash].map(one => one.toString(16).padStart(2, "0")).join(":").toUpperCase();
  }
  // Browsers without it have statistics. Those of Chromium can miss the certificate for good when they were asked during the handshake.
  const report = await connection.getStats();
  const shown = [...report.values()]
    .filter(one => one.type === "transport" && one.remoteCertificateId)
    .map(one => report.get(one.remoteCertificateId))
    .map(one => one?.fingerprintAlgorithm?.toLowerCase() === "sha-256" ? String(one.fingerprint).toUpperCase() : "");
  return shown.length > 0 && shown.every(one => one === shown[0]) ? shown[0] : "";
}

/** Looks at a connection again and again. */
export class QualityMeter {
  #lost = 0;
  #received = 0;

  /** @param {RTCPeerConnection} connection @returns {Promise<Quality | null>} Null while nothing is connected. */
  async look(connection) {
    const report = await connection.getStats();
    const all = [...report.values()];
    const pair = report.get(all.find(one => one.type === "transport")?.selectedCandidatePairId ?? "");
    if (!pair) {
      return null;
    }
    const types = [report.get(pair.localCandidateId), report.get(pair.remoteCandidateId)].map(one => one?.candidateType);
    const inbound = all.filter(one => one.type === "inbound-rtp");
    const lost = inbound.reduce((sum, one) => sum + Math.max(0, one.packetsLost ?? 0), 0);
    const received = inbound.reduce((sum, one) => sum + (one.packetsReceived ?? 0), 0);
    const [newlyLost, newly] = [Math.max(0, lost - this.#lost), Math.max(0, received - this.#received)];
    [this.#lost, this.#received] = [lost, received];
    const loss = newlyLost + newly > 0 ? newlyLost / (newlyLost + newly) : 0;
    const rtt = pair.currentRoundTripTime === undefined ? null : Math.round(pair.currentRoundTripTime * 1000);
    const grade = loss > 0.08 || (rtt ?? 0) > 600 ? "poor" : loss > 0.02 || (rtt ?? 0) > 250 ? "fair" : "good";
    return { grade, rtt, loss, isRelayed: types.includes("relay") };
  }
}
