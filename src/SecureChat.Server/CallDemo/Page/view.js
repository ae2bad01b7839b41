// @ts-check
// What a person sees of a call: tiles, buttons, files, notices.
import { icon } from "./icons.js";

/** @template {HTMLElement} T @param {string} id @returns {T} */
export const element = id => /** @type {T} */ (document.getElementById(id));

/**
 * @param {string} tag @param {Record<string, string>} [attributes] @param {(Node | string)[]} children
 */
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** @param {"before" | "call" | "after"} which */
export function showPage(which) {
  for (const id of ["before", "call", "after"]) {
    element(id).hidden = id !== which;
  }
  document.body.dataset.page = which;
}

/** @param {string} text Empty: nothing to say. @param {"problem" | "info"} [kind] */
export function notice(text, kind = "problem") {
  const line = element("notice");
  line.textContent = text;
  line.dataset.kind = kind;
  line.hidden = text === "";
}

/** @param {string} text */
export const status = text => {
  element("status").textContent = text;
};

/** @param {string} id @param {string} drawing @param {boolean} isOn @param {string} label Says what pressing does. */
export function button(id, drawing, isOn, label) {
  const one = element(id);
  one.replaceChildren(icon(drawing, !isOn && (drawing === "microphone" || drawing === "camera")));
  one.setAttribute("aria-label", label);
  one.setAttribute("aria-pressed", String(isOn));
  one.title = label;
}

/**
 * Puts a stream where it is not yet: setting the same one again would make the picture flicker.
 * @param {HTMLMediaElement} player @param {MediaStream | null} stream
 */
export function play(player, stream) {
  const now = /** @type {MediaStream | null} */ (player.srcObject);
  if (now !== stream && (!now || !stream || now.getTracks()[0] !== stream.getTracks()[0])) {
    player.srcObject = stream;
    player.play().catch(() => {});
  }
}

/**
 * @typedef {object} Tile
 * @property {string} id
 * @property {string} name
 * @property {MediaStream | null} picture
 * @property {MediaStream | null} sound
 * @property {boolean} isMuted
 * @property {boolean} isSelf
 * @property {boolean} isScreen
 * @property {string} message Over the picture: empty when all is well.
 * @property {string} path "direct", "relay" or empty.
 * @property {import("./stats.js").Quality | null} quality
 * @property {(() => void) | null} sendFile
 * @property {boolean} canSendFile
 */

/** @param {Tile[]} tiles */
export function showTiles(tiles) {
  const list = element("tiles");
  list.dataset.count = String(tiles.length);
  for (const old of [...list.children]) {
    if (!tiles.some(tile => tile.id === /** @type {HTMLElement} */ (old).dataset.tile)) {
      old.remove();
    }
  }
  tiles.forEach((tile, index) => {
    const found = [...list.children].find(one => /** @type {HTMLElement} */ (one).dataset.tile === tile.id) ?? makeTile(tile);
    if (list.children[index] !== found) {
      list.insertBefore(found, list.children[index] ?? null);
    }
    updateTile(/** @type {HTMLElement} */ (found), tile);
  });
}

/** @param {Tile} tile */
function makeTile(tile) {
  const made = make("li", { "data-tile": tile.id, class: "tile" },
    make("video", { autoplay: "", playsinline: "" }),
    make("audio", { autoplay: "" }),
    make("div", { class: "initial", "aria-hidden": "true" }),
    make("p", { class: "message" }),
    make("div", { class: "label" }, make("span", { class: "muted", title: "Muted" }, icon("microphone", true)), make("span", { class: "name" })),
    make("div", { class: "quality" }));
  made.querySelector("video")?.toggleAttribute("muted", true);
  /** @type {HTMLVideoElement} */ (made.querySelector("video")).muted = true;
  made.classList.toggle("self", tile.isSelf && !tile.isScreen);
  made.classList.toggle("screen", tile.isScreen);
  if (tile.sendFile) {
    const send = make("button", { type: "button", class: "round small send", title: `Send a file`, "aria-label": "Send a file" }, icon("file"));
    send.addEventListener("click", tile.sendFile);
    made.append(send);
  }
  return made;
}

/** @param {HTMLElement} made @param {Tile} tile */
function updateTile(made, tile) {
  /** @param {string} selector @returns {HTMLElement} */
  const part = selector => /** @type {HTMLElement} */ (made.querySelector(selector));
  const video = /** @type {HTMLVideoElement} */ (part("video"));
  play(video, tile.picture);
  video.hidden = tile.picture === null;
  play(/** @type {HTMLAudioElement} */ (part("audio")), tile.sound);
  part(".initial").hidden = tile.picture !== null;
  set(part(".initial"), (tile.name.trim()[0] ?? "?").toUpperCase());
  set(part(".message"), tile.message);
  set(part(".name"), tile.name);
  part(".muted").hidden = !tile.isMuted;
  const { quality } = tile;
  const badge = part(".quality");
  badge.hidden = !tile.path;
  if (tile.path) {
    const numbers = quality ? `${quality.rtt ?? "–"} ms · ${(quality.loss * 100).toFixed(0)} % lost` : "";
    badge.dataset.grade = quality?.grade ?? "good";
    badge.dataset.path = tile.path;
    set(badge, tile.path === "relay" ? "Relayed" : "Direct");
    badge.title = `${tile.path === "relay" ? "Through a relay: addresses are hidden" : "From device to device"} · ${numbers}`;
    badge.append(make("span", { class: "numbers" }, numbers));
  }
  const send = made.querySelector(".send");
  if (send) {
    /** @type {HTMLElement} */ (send).hidden = !tile.canSendFile;
  }
}

/** @param {HTMLElement} one @param {string} text */
function set(one, text) {
  if (one.textContent !== text) {
    one.textContent = text;
  }
}

const WORDS = {
  offered: "waits for an answer", moving: "", paused: "waits for the connection, or the relay", checking: "being checked", done: "arrived, hash is right",
  "too-large": "too large for the relay, waits for the connection", "no-relay": "the relay does not take it now, waits for the connection",
  declined: "declined", damaged: "arrived damaged and was thrown away", lost: "could not be fetched from the relay",
};

/** @param {number} bytes */
const size = bytes => bytes < 1024 ? `${bytes} B` : bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(0)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;

/**
 * @param {string} who @param {import("./transfer.js").TransferChange} change
 * @param {{ accept: () => void, decline: () => void }} answers
 */
export function showFile(who, change, answers) {
  const list = element("files");
  const found = [...list.children].find(one => /** @type {HTMLElement} */ (one).dataset.file === change.id);
  const line = /** @type {HTMLElement} */ (found ?? make("li", { "data-file": change.id }, make("span", { class: "what" }), make("progress", { max: "1" })));
  if (!found) {
    list.append(line);
  }
  const isNew = line.dataset.state !== change.state || line.dataset.way !== change.way;
  Object.assign(line.dataset, { state: change.state, way: change.way });
  /** @type {HTMLProgressElement} */ (line.querySelector("progress")).value = change.size > 0 ? change.moved / change.size : 1;
  if (!isNew) {
    return;
  }
  const direction = change.direction === "in" ? `from ${who}` : `to ${who}`;
  const words = [change.state === "offered" && change.direction === "in" ? "" : WORDS[change.state], change.way === "relay" ? "through the relay" : ""];
  set(/** @type {HTMLElement} */ (line.querySelector(".what")), [`${change.name} (${size(change.size)}) ${direction}`, ...words.filter(Boolean)].join(" – "));
  line.querySelectorAll("button, a").forEach(one => one.remove());
  if (change.state === "offered" && change.direction === "in") {
    line.append(action("Accept", answers.accept, "accept"), action("Decline", answers.decline, "decline"));
  } else if (change.state === "done" && change.file) {
    line.append(make("a", { href: URL.createObjectURL(change.file), download: change.name, class: "save" }, "Save"));
  }
  if (["done", "declined", "damaged", "lost"].includes(change.state)) {
    line.append(action("Dismiss", () => line.remove(), "dismiss"));
  }
}

/** @param {string} label @param {() => void} run @param {string} name */
function action(label, run, name) {
  const made = make("button", { type: "button", class: `quiet ${name}` }, label);
  made.addEventListener("click", run);
  return made;
}
