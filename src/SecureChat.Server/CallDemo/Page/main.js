// @ts-check
// The call page: from the link to the call and out of it again.
import { Devices } from "./devices.js";
import { fromBase64Url, randomBytes, toBase64Url } from "./encoding.js";
import { Mesh } from "./mesh.js";
import { RoomKeys, SECRET_BYTES } from "./seal.js";
import { QualityMeter } from "./stats.js";
import { button, element, notice, play, showFile, showPage, showTiles, status } from "./view.js";

const REFUSALS = /** @type {Record<string, string>} */ ({
  room_full: "The room is full: eight people are in this call already.",
  proof_of_work_required: "Very many calls were joined from this network. Try again in half an hour.",
});

/** @type {Mesh | null} */ let mesh = null;
/** @type {import("./mesh.js").Member[]} */ let members = [];
/** @type {Map<RTCPeerConnection, { meter: QualityMeter, quality: import("./stats.js").Quality | null }>} */ let meters = new Map();
/** @type {import("./mesh.js").Member | null} */ let recipient = null;
let isJoined = false;
/** The stream of each of our own tracks: a new one each time would flicker. @type {WeakMap<MediaStreamTrack, MediaStream>} */
const streams = new WeakMap();

const devices = new Devices(() => {
  mesh?.publish();
  showOwn();
});

/** The secret of the room, from the part of the link that no server is sent. */
function roomSecret() {
  try {
    const secret = fromBase64Url(location.hash.slice(1));
    if (secret.length === SECRET_BYTES) {
      return secret;
    }
  } catch {
    // Not base64url: as good as none.
  }
  if (location.hash.length > 1) {
    notice("This link is not complete. A new room was made instead; copy its link to invite others.");
  }
  const secret = randomBytes(SECRET_BYTES);
  history.replaceState(null, "", "#" + toBase64Url(secret));
  return secret;
}

/** @param {MediaStreamTrack | null} track */
function streamOf(track) {
  if (track && !streams.has(track)) {
    streams.set(track, new MediaStream([track]));
  }
  return track ? streams.get(track) ?? null : null;
}

function showOwn() {
  const on = devices.on();
  for (const prefix of ["", "before-"]) {
    button(prefix + "microphone", "microphone", on.microphone, on.microphone ? "Mute (m)" : "Unmute (m)");
    button(prefix + "camera", "camera", on.camera, on.camera ? "Turn the camera off (v)" : "Turn the camera on (v)");
  }
  button("screen", "screen", on.screen, on.screen ? "Stop sharing the screen (s)" : "Share the screen (s)");
  button("hang-up", "hang-up", true, "Leave the call");
  element("hang-up").removeAttribute("aria-pressed");
  element("screen").hidden = !navigator.mediaDevices?.getDisplayMedia;
  play(element("preview"), streamOf(devices.camera));
  element("preview").hidden = !on.camera;
  element("preview-off").hidden = on.camera;
  showCall();
}

/** @param {import("./mesh.js").Member} member */
function messageFor(member) {
  switch (member.state) {
    case "refused": return "Refused: this connection is not the one that was agreed on. Somebody may be in the middle.";
    case "failed": return mesh?.self.isRelayOnly ? "Could not connect through a relay. Trying again." : "Could not connect. Trying again.";
    case "connecting": return "Connecting …";
    default: return member.link?.connection.connectionState === "connected" ? "" : "Reconnecting …";
  }
}

/** @param {import("./mesh.js").Member} member @returns {import("./view.js").Tile[]} */
function tilesOf(member) {
  const name = member.name || "Guest";
  const isUp = member.state === "connected";
  const quality = (member.link && meters.get(member.link.connection)?.quality) ?? null;
  const tile = {
    id: member.id, name, isSelf: false, isScreen: false, message: messageFor(member), quality, isMuted: isUp && !member.on.microphone,
    picture: isUp && member.on.camera ? member.media.camera ?? null : null, sound: isUp ? member.media.microphone ?? null : null,
    path: isUp && quality ? (quality.isRelayed ? "relay" : "direct") : "",
    canSendFile: isUp || (member.number !== 0 && member.state !== "refused"),
    sendFile: () => {
      recipient = member;
      element("file").click();
    },
  };
  const screen = isUp && member.on.screen && member.media.screen
    ? [{ ...tile, id: member.id + "-screen", name: `${name}'s screen`, isScreen: true, picture: member.media.screen, sound: null, path: "", message: "", isMuted: false, sendFile: null, canSendFile: false }]
    : [];
  return [...screen, tile];
}

function showCall() {
  if (!mesh) {
    return;
  }
  const on = devices.on();
  const own = {
    id: "self", name: mesh.self.name ? `${mesh.self.name} (you)` : "You", isSelf: true, isScreen: false, message: "", quality: null, path: "", isMuted: !on.microphone,
    picture: streamOf(devices.camera), sound: null, sendFile: null, canSendFile: false,
  };
  const screen = on.screen ? [{ ...own, id: "self-screen", name: "Your screen", isScreen: true, picture: streamOf(devices.screen), isMuted: false }] : [];
  const tiles = [...members.flatMap(tilesOf), ...screen, own];
  showTiles([...tiles.filter(tile => tile.isScreen), ...tiles.filter(tile => !tile.isScreen)]);
  if (isJoined) {
    status(members.length === 0 ? "Nobody else is here yet. Copy the link and send it to somebody." : `${members.length + 1} people in the call`);
  }
}

async function measure() {
  const next = new Map();
  for (const { link } of members) {
    if (link) {
      const { meter } = meters.get(link.connection) ?? { meter: new QualityMeter() };
      next.set(link.connection, { meter, quality: await meter.look(link.connection) });
    }
  }
  meters = next;
  showCall();
}

async function join() {
  notice("");
  isJoined = false;
  const self = { name: /** @type {HTMLInputElement} */ (element("name")).value.trim(), isRelayOnly: /** @type {HTMLInputElement} */ (element("relay-only")).checked };
  const keys = await RoomKeys.derive(roomSecret());
  const url = new URL("/ws/rooms", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  mesh = new Mesh(url.href, keys, self, devices, {
    changed: now => {
      members = now;
      showCall();
    },
    room: onRoom,
    altered: () => notice("Messages that set up the call do not open: the server, or somebody on the way to it, changes them. They were thrown away."),
    certificate: member => notice(`The connection with ${member.name || "somebody"} was refused: its certificate is not the one that was agreed on. Somebody may be in the middle.`),
    file: (member, change) => showFile(member.name || "Guest", change, {
      accept: () => member.transfers.receiving.accept(change.id),
      decline: () => member.transfers.receiving.decline(change.id),
    }),
  });
  showPage("call");
  status("Joining …");
  showOwn();
  mesh.join();
  element("microphone").focus();
}

/** @param {"joined" | "away" | "refused"} state @param {string} [detail] */
function onRoom(state, detail) {
  isJoined = state === "joined";
  if (state === "joined") {
    notice("");
    showCall();
    if (mesh?.self.isRelayOnly && !mesh.hasRelay) {
      notice("This server offers no relay, so your address cannot be hidden: nobody can connect. Leave and join without hiding, or ask who runs it.");
    }
  } else if (state === "away") {
    status("The server is away. Calls that are connected go on; trying again …");
  } else {
    leave("You could not join", REFUSALS[detail ?? ""] ?? "The server refused. Reload the page and try again.");
  }
}

/** @param {string} title @param {string} text */
function leave(title, text) {
  mesh?.leave();
  mesh = null;
  members = [];
  devices.close();
  showTiles([]);
  element("files").replaceChildren();
  element("after-title").textContent = title;
  element("after-text").textContent = text;
  notice("");
  showPage("after");
  element("back").focus();
}

async function prepare() {
  showPage("before");
  const problems = await devices.open();
  if (problems.length > 0) {
    notice(problems.join(" ") + " You can join without.");
  }
  if (document.body.dataset.page === "after") {
    devices.close();
  }
  // Who was quick is in the call already.
  mesh?.publish();
  showOwn();
}

/** @param {string | null} problem */
const complain = problem => notice(problem ?? "");

/** @type {Record<string, () => Promise<void>>} */
const toggles = {
  microphone: async () => complain(await devices.toggleMicrophone()),
  camera: async () => complain(await devices.toggleCamera()),
  screen: async () => complain(await devices.toggleScreen()),
};

function listen() {
  element("join").addEventListener("submit", event => {
    event.preventDefault();
    join();
  });
  for (const [id, run] of Object.entries(toggles)) {
    element(id).addEventListener("click", run);
    document.getElementById("before-" + id)?.addEventListener("click", run);
  }
  element("hang-up").addEventListener("click", () => leave("You left the call", ""));
  element("back").addEventListener("click", prepare);
  element("copy").addEventListener("click", async () => {
    const ok = await navigator.clipboard.writeText(location.href).then(() => true, () => false);
    element("copy").textContent = ok ? "Copied" : "Copy it from the address bar";
    setTimeout(() => (element("copy").textContent = "Copy link"), 2500);
  });
  const file = /** @type {HTMLInputElement} */ (element("file"));
  file.addEventListener("change", () => {
    const [chosen] = file.files ?? [];
    if (chosen && recipient) {
      recipient.transfers.sending.send(chosen).catch(error => notice(error.message));
    }
    file.value = "";
  });
  document.addEventListener("keydown", event => {
    const slot = { m: "microphone", v: "camera", s: "screen" }[event.key];
    const isTyping = event.target instanceof HTMLInputElement;
    if (slot && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey && element("after").hidden) {
      toggles[slot]();
    }
  });
  addEventListener("online", () => mesh?.reconnect());
  addEventListener("pagehide", () => mesh?.leave());
  addEventListener("hashchange", () => location.reload());
}

roomSecret();
listen();
setInterval(measure, 1000);
await prepare();
