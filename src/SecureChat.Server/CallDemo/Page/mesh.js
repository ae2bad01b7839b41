// @ts-check
// Everybody in the room, each with a link of their own. Spec: docs/protocol/calls.md#the-pages-signals.
import { randomId } from "./encoding.js";
import { Link, SLOTS } from "./link.js";
import { RoomSocket } from "./room-socket.js";
import { Seal } from "./seal.js";
import { Transfers } from "./transfer.js";

const GRACE = 20_000;
const GREETING_DUE = 3000;
const RETRY_AFTER = 2000;
const MAX_NAME = 40;

/**
 * One other member.
 * @typedef {object} Member
 * @property {string} id Chosen by its page; the same over its joins.
 * @property {number} number In the room now; 0 while away.
 * @property {string} name
 * @property {{ microphone: boolean, camera: boolean, screen: boolean }} on
 * @property {Record<string, MediaStream>} media
 * @property {Link | null} link
 * @property {Transfers} transfers
 * @property {"connecting" | "connected" | "refused" | "failed"} state
 * @property {number} [leaving]
 */

/**
 * @typedef {object} MeshEvents
 * @property {(members: Member[]) => void} changed
 * @property {(state: "joined" | "away" | "refused", detail?: string) => void} room
 * @property {() => void} altered A signal came that does not open: somebody changed it.
 * @property {(member: Member) => void} certificate A certificate was not the one signalled.
 * @property {(member: Member, change: import("./transfer.js").TransferChange) => void} file
 */

export class Mesh {
  /** @type {Map<string, Member>} */ members = new Map();
  /** @type {RTCIceServer[]} */ #relays = [];
  /** @type {Promise<void>} */ #sending = Promise.resolve();
  /** @type {Promise<void>} */ #receiving = Promise.resolve();

  /**
   * @param {string} url @param {import("./seal.js").RoomKeys} keys @param {{ name: string, isRelayOnly: boolean }} self
   * @param {import("./devices.js").Devices} devices @param {MeshEvents} events
   */
  constructor(url, keys, self, devices, events) {
    this.id = randomId();
    this.self = self;
    this.devices = devices;
    this.events = events;
    this.seal = new Seal(keys);
    this.socket = new RoomSocket(url, keys.capability, {
      joined: (_, peers, relays) => this.#onJoined(peers, relays),
      peerJoined: peer => setTimeout(() => this.#greetLate(peer), GREETING_DUE),
      peerLeft: peer => this.#onLeft(peer),
      signal: (peer, content) => this.#onSignal(peer, content),
      away: () => this.events.room("away"),
      refused: code => this.events.room("refused", code),
    });
  }

  /** Whether the server gave a way to connect without showing one's address. */
  get hasRelay() {
    return this.#relays.some(server => [server.urls].flat().some(url => url.startsWith("turn")));
  }

  join() {
    this.socket.open();
  }

  leave() {
    for (const member of this.members.values()) {
      member.link?.say({ kind: "bye" });
      member.link?.close();
      member.transfers.end();
      clearTimeout(member.leaving);
    }
    this.members.clear();
    this.socket.close();
  }

  /** Tells everybody what is on, and hands every link the tracks. */
  async publish() {
    for (const { link } of this.members.values()) {
      for (const slot of SLOTS) {
        await link?.replace(slot, this.devices.tracks()[slot]);
      }
      link?.say(this.#state());
    }
  }

  /** Other paths: the network of this device changed. */
  reconnect() {
    this.socket.hurry();
    this.members.forEach(member => member.link?.isVerified && member.link.offer());
  }

  /** @param {number[]} peers @param {RTCIceServer[]} relays */
  #onJoined(peers, relays) {
    this.#relays = relays;
    this.events.room("joined");
    if (peers.length > 0) {
      this.#send(0, { kind: "hello", reply: true, ...this.#hello() });
    }
  }

  // Of two that joined at the same moment neither may have greeted.
  /** @param {number} peer */
  #greetLate(peer) {
    if (this.socket.self !== 0 && !this.#numbered(peer)) {
      this.#send(peer, { kind: "hello", reply: true, ...this.#hello() });
    }
  }

  /** @param {number} peer */
  #onLeft(peer) {
    const member = this.#numbered(peer);
    if (member) {
      member.number = 0;
      // A broken line is not a farewell: the media may still flow, and the member may be back in a moment.
      const isMissed = member.link?.isVerified || member.state === "connecting" || member.transfers.isUnfinished;
      member.leaving = setTimeout(() => this.#remove(member), isMissed ? GRACE : 0);
    }
  }

  /** @param {number} peer @param {Uint8Array<ArrayBuffer>} content */
  #onSignal(peer, content) {
    this.#receiving = this.#receiving.then(async () => {
      const unopened = this.seal.unopened;
      const message = await this.seal.open(peer, this.socket.self, content);
      if (this.seal.unopened > unopened) {
        this.events.altered();
      }
      if (message?.kind === "hello") {
        this.#onHello(peer, message);
      } else if (message) {
        this.#onMessage(this.#numbered(peer), message);
      }
    }).catch(error => console.warn("signal", error));
  }

  /** @param {number} peer @param {any} hello */
  #onHello(peer, hello) {
    if (typeof hello.member !== "string" || hello.member === this.id) {
      return;
    }
    const member = this.members.get(hello.member) ?? this.#add(hello.member);
    clearTimeout(member.leaving);
    member.number = peer;
    member.name = String(hello.name ?? "").slice(0, MAX_NAME);
    if (hello.reply) {
      this.#send(peer, { kind: "hello", reply: false, ...this.#hello() });
    } else if (member.state !== "refused" && (!member.link || member.link.connection.connectionState !== "connected" || member.link.connection.signalingState !== "stable")) {
      // Who came (back) offers; those who were there wait for it.
      member.link ??= this.#connect(member);
      member.link.offer();
    }
    member.transfers.greet();
    this.#changed();
  }

  /** @param {Member | undefined} member @param {any} message */
  #onMessage(member, message) {
    if (!member || member.state === "refused") {
      return;
    }
    if (message.kind === "refused") {
      this.#refuse(member, false);
    } else if (String(message.kind).startsWith("file-")) {
      member.transfers.receive(message);
    } else if (message.kind === "again") {
      this.#restart(member).offer();
    } else {
      member.state = member.state === "failed" ? "connecting" : member.state;
      const link = (member.link ??= this.#connect(member));
      link.receive(message);
    }
  }

  /** @param {Member} member */
  #restart(member) {
    member.link?.close();
    member.transfers.pause();
    member.state = "connecting";
    return (member.link = this.#connect(member));
  }

  /** @param {string} id @returns {Member} */
  #add(id) {
    /** @type {Member} */
    const member = {
      id, number: 0, name: "", on: { microphone: false, camera: false, screen: false }, media: {}, link: null, state: "connecting",
      transfers: new Transfers(
        { say: message => this.#tell(member, message), channel: () => member.link?.isUp ? member.link.files : null },
        change => this.events.file(member, change)),
    };
    this.members.set(id, member);
    return member;
  }

  /** @param {Member} member */
  #connect(member) {
    const link = new Link(
      { iceServers: this.#relays, iceTransportPolicy: this.self.isRelayOnly ? "relay" : "all" },
      () => this.devices.tracks(),
      {
        signal: message => member.number !== 0 && this.#send(member.number, message),
        yields: () => this.socket.self > member.number,
        changed: () => {
          member.transfers.look();
          this.#changed();
        },
        control: message => this.#onControl(member, message),
        media: (stream, slot) => {
          member.media[slot] = stream;
          this.#changed();
        },
        verified: () => {
          member.state = "connected";
          link.say(this.#state());
          member.transfers.attach(link.files);
        },
        ended: (reason, offer) => this.#onEnded(member, reason, offer),
      });
    return link;
  }

  /** @param {Member} member @param {any} message */
  #onControl(member, message) {
    if (message.kind === "state") {
      for (const slot of /** @type {const} */ (["microphone", "camera", "screen"])) {
        member.on[slot] = message[slot] === true;
      }
      this.#changed();
    } else if (message.kind === "bye") {
      this.#remove(member);
    } else {
      member.transfers.receive(message);
    }
  }

  /** @param {Member} member @param {"certificate" | "failed" | "stale"} reason @param {any} offer */
  #onEnded(member, reason, offer) {
    member.media = {};
    member.transfers.pause();
    if (reason === "certificate") {
      this.#refuse(member, true);
      return;
    }
    if (reason === "stale") {
      // The other side began anew: so does this one, at once, before more of it comes.
      this.#restart(member).receive(offer);
      return;
    }
    member.link = null;
    member.state = "failed";
    if (member.number === 0) {
      this.#remove(member);
    } else {
      // One before the other: both at once would only meet.
      const wait = this.socket.self < member.number ? RETRY_AFTER : 2 * RETRY_AFTER;
      setTimeout(() => member.state === "failed" && this.members.has(member.id) && this.#restart(member).offer(), wait);
    }
    this.#changed();
  }

  /** @param {Member} member @param {boolean} isFirst */
  #refuse(member, isFirst) {
    member.link?.close();
    member.transfers.end();
    member.state = "refused";
    member.media = {};
    if (isFirst && member.number !== 0) {
      this.#send(member.number, { kind: "refused" });
    }
    this.events.certificate(member);
    this.#changed();
  }

  /** @param {Member} member */
  #remove(member) {
    clearTimeout(member.leaving);
    member.link?.close();
    member.transfers.end();
    this.members.delete(member.id);
    this.#changed();
  }

  /** @param {number} peer */
  #numbered(peer) {
    return [...this.members.values()].find(member => member.number === peer);
  }

  #hello() {
    return { member: this.id, name: this.self.name };
  }

  #state() {
    return { kind: "state", ...this.devices.on() };
  }

  // Over the connection; while there is none, sealed, through the room. Who was refused is told nothing.
  /** @param {Member} member @param {object} message */
  #tell(member, message) {
    if (member.link?.isUp) {
      member.link.say(message);
    } else if (member.number !== 0 && member.state !== "refused") {
      this.#send(member.number, message);
    }
  }

  /** @param {number} to @param {object} message */
  #send(to, message) {
    // Sealing takes its time: one after the other, so that they leave in order.
    this.#sending = this.#sending.then(async () => {
      if (this.socket.self !== 0) {
        this.socket.signal(to, await this.seal.seal(this.socket.self, to, message));
      }
    });
  }

  #changed() {
    this.events.changed([...this.members.values()]);
  }
}
