// @ts-check
// The connection to one other member: negotiation, the check of certificates, media, the control channel.
// Spec: docs/protocol/calls.md#the-pages-signals.
import { randomId } from "./encoding.js";
import { fingerprintOf, harden } from "./sdp.js";
import { certificateShown } from "./stats.js";

const RESTART_AFTER = 4000;
const LOOK_AGAIN_AFTER = 100;
const GIVE_UP_AFTER = 30_000;

/** In this order in every description. @type {("microphone" | "camera" | "screen")[]} */
export const SLOTS = ["microphone", "camera", "screen"];

/**
 * @typedef {object} LinkEvents
 * @property {(message: object) => void} signal To the other member.
 * @property {() => boolean} yields Whether the other's offer stands when both offer.
 * @property {() => void} changed
 * @property {(text: any) => void} control A message of the control channel.
 * @property {(stream: MediaStream, slot: string) => void} media
 * @property {() => void} verified Media may flow.
 * @property {(reason: "certificate" | "failed" | "stale", offer: any) => void} ended
 */

export class Link {
  #remoteId = "";
  #fingerprint = "";
  #isVerified = false;
  #isClosed = false;
  #offeredOnce = false;
  /** @type {any[]} */ #early = [];
  /** @type {string[]} */ #unread = [];
  /** @type {Promise<void>} */ #turn = Promise.resolve();
  /** @type {number | undefined} */ #restart;
  /** @type {number | undefined} */ #patience;
  /** @type {RTCRtpTransceiver[]} */ #transceivers = [];

  /** @param {RTCConfiguration} configuration @param {() => Record<string, MediaStreamTrack | null>} tracks @param {LinkEvents} events */
  constructor(configuration, tracks, events) {
    this.id = randomId();
    this.tracks = tracks;
    this.events = events;
    this.connection = new RTCPeerConnection({ ...configuration, bundlePolicy: "max-bundle" });
    this.control = this.connection.createDataChannel("control", { negotiated: true, id: 0 });
    this.files = this.connection.createDataChannel("files", { negotiated: true, id: 1 });
    this.files.binaryType = "arraybuffer";
    this.control.onmessage = event => this.#onControl(event.data);
    this.control.onopen = () => this.#verify();
    this.control.onclose = () => this.#end("failed");
    this.files.onopen = () => this.events.changed();
    this.connection.onicecandidate = event => this.#signal("candidate", { candidate: event.candidate?.toJSON() ?? null });
    this.connection.onconnectionstatechange = () => this.#onState();
    this.#waitForConnection();
  }

  get isVerified() {
    return this.#isVerified;
  }

  /** Whether anything that is said now has a way. */
  get isUp() {
    return this.#isVerified && !this.#isClosed && this.connection.connectionState === "connected"
      && this.control.readyState === "open" && this.files.readyState === "open";
  }

  /** Offers, or offers again by other paths. */
  offer() {
    return this.#inTurn(async () => {
      if (this.connection.signalingState === "have-local-offer") {
        // It was lost with the socket. By now it names the candidates that were lost with it.
        this.#describe();
        return;
      }
      if (this.#transceivers.length === 0) {
        this.#transceivers = ["audio", "video", "video"].map(kind => this.connection.addTransceiver(kind, { direction: "sendrecv" }));
        this.#listen();
      }
      if (this.#offeredOnce) {
        this.connection.restartIce();
      }
      this.#offeredOnce = true;
      await this.connection.setLocalDescription();
      this.#describe();
    });
  }

  /** @param {any} message A description or candidate of the other member. */
  receive(message) {
    return this.#inTurn(async () => {
      if (message.to && message.to !== this.id) {
        // Of a connection that is no more. The other side must know, or it would wait for ever.
        if (message.kind === "description" && message.type === "offer") {
          this.events.signal({ kind: "again" });
        }
        return;
      }
      if (this.#remoteId && message.link !== this.#remoteId) {
        if (message.type === "offer") {
          this.#end("stale", message);
        }
      } else if (message.kind === "description") {
        await this.#onDescription(message);
      } else if (message.kind === "candidate") {
        await this.#onCandidate(message);
      }
    });
  }

  /** @param {string} slot @param {MediaStreamTrack | null} track */
  async replace(slot, track) {
    if (this.#isVerified && !this.#isClosed) {
      await this.#transceivers[SLOTS.indexOf(/** @type {any} */ (slot))]?.sender.replaceTrack(track);
    }
  }

  /** @param {object} message */
  say(message) {
    if (this.#isVerified && this.control.readyState === "open") {
      this.control.send(JSON.stringify(message));
    }
  }

  close() {
    this.#isClosed = true;
    clearTimeout(this.#restart);
    clearTimeout(this.#patience);
    this.connection.close();
  }

  /** @param {any} message */
  async #onDescription(message) {
    const fingerprint = fingerprintOf(message.sdp);
    // One certificate, the same from the first description to the last: otherwise somebody stands between.
    if (fingerprint === null || (this.#fingerprint && fingerprint !== this.#fingerprint)) {
      this.#end("certificate");
      return;
    }
    const isOffer = message.type === "offer";
    if (isOffer && this.connection.signalingState === "have-local-offer") {
      if (!this.events.yields()) {
        return;
      }
      if (!this.#fingerprint) {
        // Never negotiated: the other's offer brings slots of its own, and is answered by a new link.
        this.#end("stale", message);
        return;
      }
      await this.connection.setLocalDescription({ type: "rollback" });
    } else if (!isOffer && this.connection.signalingState !== "have-local-offer") {
      return;
    }
    this.#remoteId = message.link;
    this.#fingerprint = fingerprint;
    await this.connection.setRemoteDescription({ type: isOffer ? "offer" : "answer", sdp: harden(message.sdp) });
    for (const candidate of this.#early.splice(0)) {
      await this.#onCandidate(candidate);
    }
    if (isOffer) {
      await this.#answer();
    }
  }

  async #answer() {
    if (this.#transceivers.length === 0) {
      this.#transceivers = this.connection.getTransceivers().filter(one => one.currentDirection !== "stopped" && one.mid !== null);
      this.#transceivers.forEach(one => (one.direction = "sendrecv"));
      this.#listen();
    }
    this.#offeredOnce = true;
    await this.connection.setLocalDescription();
    this.#describe();
  }

  /** @param {any} message */
  async #onCandidate(message) {
    if (!this.connection.remoteDescription) {
      this.#early.push(message);
    } else if (message.candidate && message.link === this.#remoteId) {
      // One of an earlier network is refused; it is of no use either.
      await this.connection.addIceCandidate(message.candidate).catch(() => {});
    }
  }

  #listen() {
    this.#transceivers.forEach((one, index) => {
      one.receiver.track.onunmute = () => this.#show(index);
    });
  }

  /** @param {number} index */
  #show(index) {
    if (this.#isVerified) {
      this.events.media(new MediaStream([this.#transceivers[index].receiver.track]), SLOTS[index]);
    }
  }

  #describe() {
    const description = /** @type {RTCSessionDescription} */ (this.connection.localDescription);
    this.#signal("description", { type: description.type, sdp: harden(description.sdp) });
  }

  /** @param {string} kind @param {object} content */
  #signal(kind, content) {
    this.events.signal({ kind, link: this.id, to: this.#remoteId, ...content });
  }

  /** @param {string} text */
  #onControl(text) {
    if (!this.#isVerified) {
      // Nothing is believed before the certificate was compared; the other side may be done with that already.
      this.#unread.push(text);
      return;
    }
    try {
      this.events.control(JSON.parse(text));
    } catch {
      // Not ours: nothing depends on it.
    }
  }

  #onState() {
    const state = this.connection.connectionState;
    clearTimeout(this.#restart);
    if (state === "connected") {
      this.#beContent();
      this.#verify();
    } else if (state === "disconnected" || state === "failed") {
      this.#restart = setTimeout(() => this.offer(), state === "failed" ? 0 : RESTART_AFTER);
      this.#waitForConnection();
    }
    this.events.changed();
  }

  // Connected and verified: nothing more to wait for.
  #beContent() {
    if (this.#isVerified && this.connection.connectionState === "connected") {
      clearTimeout(this.#patience);
      this.#patience = undefined;
    }
  }

  #waitForConnection() {
    this.#patience ??= setTimeout(() => this.#end("failed"), GIVE_UP_AFTER);
  }

  // Until here no sender has a track: not one packet of media is sent before the certificate was compared.
  async #verify() {
    if (this.#isVerified || this.#isClosed || this.connection.connectionState !== "connected" || this.control.readyState !== "open") {
      return;
    }
    const shown = await certificateShown(this.connection);
    if (this.#isVerified || this.#isClosed) {
      return;
    }
    if (!shown) {
      setTimeout(() => this.#verify(), LOOK_AGAIN_AFTER);
      return;
    }
    if (shown !== this.#fingerprint) {
      this.#end("certificate");
      return;
    }
    this.#isVerified = true;
    this.#beContent();
    // Before anything that takes time: from now on messages are taken in as they come.
    this.events.verified();
    this.#unread.splice(0).forEach(text => this.#onControl(text));
    for (const slot of SLOTS) {
      // What is on now: a camera may have been opened meanwhile.
      await this.replace(slot, this.tracks()[slot]);
    }
    this.#transceivers.forEach((one, index) => one.receiver.track.muted || this.#show(index));
    this.events.changed();
  }

  /** @param {() => Promise<void>} work One thing at a time: negotiation does not stand two. */
  #inTurn(work) {
    this.#turn = this.#turn.then(() => this.#isClosed ? undefined : work()).catch(error => {
      if (!this.#isClosed) {
        console.warn("negotiation", error);
      }
    });
    return this.#turn;
  }

  /** @param {"certificate" | "failed" | "stale"} reason @param {any} [offer] What the next link begins with. */
  #end(reason, offer) {
    if (!this.#isClosed) {
      this.close();
      this.events.ended(reason, offer);
    }
  }
}
