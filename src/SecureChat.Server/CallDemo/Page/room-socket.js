// @ts-check
// The socket of a room: joins, stays, comes back. Spec: docs/protocol/calls.md#rooms.
import { fromBase64, toBase64 } from "./encoding.js";

const PING_EVERY = 12_000;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;

/** Refusals that waiting does not mend. */
const FINAL = new Set(["room_full", "malformed", "proof_of_work_required", "forbidden"]);

/**
 * @typedef {object} RoomEvents
 * @property {(self: number, peers: number[], relays: RTCIceServer[]) => void} joined
 * @property {(peer: number) => void} peerJoined
 * @property {(peer: number) => void} peerLeft
 * @property {(peer: number, content: Uint8Array<ArrayBuffer>) => void} signal
 * @property {() => void} away The socket is gone; it comes back by itself.
 * @property {(code: string) => void} refused It does not come back.
 */

export class RoomSocket {
  /** @type {WebSocket | null} */ #socket = null;
  #requests = 0;
  #failures = 0;
  #isOver = false;
  /** @type {number | undefined} */ #ping;
  /** @type {number | undefined} */ #retry;

  /** @param {string} url @param {Uint8Array} capability @param {RoomEvents} events */
  constructor(url, capability, events) {
    this.url = url;
    this.capability = capability;
    this.events = events;
    /** One's own number; 0 while in no room. */
    this.self = 0;
  }

  open() {
    const socket = new WebSocket(this.url, "securechat.rooms.v1.json");
    this.#socket = socket;
    socket.onopen = () => {
      this.#send({ join: { capability: toBase64(this.capability) } });
      this.#ping = setInterval(() => this.#send({ ping: {} }), PING_EVERY);
    };
    socket.onmessage = event => this.#handle(JSON.parse(event.data));
    socket.onclose = event => this.#onClose(event.code);
  }

  /** @param {number} to 0 for everybody. @param {Uint8Array} content */
  signal(to, content) {
    this.#send({ signal: { peer: to, content: toBase64(content) } });
  }

  /** Leaves for good. */
  close() {
    this.#isOver = true;
    clearTimeout(this.#retry);
    this.#socket?.close(1000);
  }

  /** Comes back now instead of later: the network changed. */
  hurry() {
    if (!this.#isOver && this.#socket?.readyState === WebSocket.CLOSED) {
      clearTimeout(this.#retry);
      this.open();
    }
  }

  /** @param {object} frame */
  #send(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#socket.send(JSON.stringify({ request: String(++this.#requests), ...frame }));
    }
  }

  /** @param {any} frame */
  #handle(frame) {
    if (frame.joined) {
      this.self = frame.joined.peer;
      this.#failures = 0;
      this.events.joined(this.self, frame.joined.peers ?? [], frame.joined.relays ?? []);
    } else if (frame.peerJoined) {
      this.events.peerJoined(frame.peerJoined.peer);
    } else if (frame.peerLeft) {
      this.events.peerLeft(frame.peerLeft.peer);
    } else if (frame.signal) {
      this.events.signal(frame.signal.peer, fromBase64(frame.signal.content));
    } else if (frame.problem && this.self === 0) {
      this.#refuse(frame.problem.code);
    }
  }

  /** @param {string} code */
  #refuse(code) {
    if (FINAL.has(code)) {
      this.close();
      this.events.refused(code);
    } else {
      this.#socket?.close(1000);
    }
  }

  /** @param {number} code */
  #onClose(code) {
    clearInterval(this.#ping);
    this.self = 0;
    if (this.#isOver) {
      return;
    }
    this.events.away();
    // At random, so that a server that comes back is not met by everybody at once.
    const longest = code === 1001 ? 5000 : Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures++);
    this.#retry = setTimeout(() => this.open(), Math.random() * longest);
  }
}
