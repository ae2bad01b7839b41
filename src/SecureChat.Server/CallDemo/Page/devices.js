// @ts-check
// Camera, microphone and screen of this device.

/** Why a device cannot be used, in words for the person. @param {unknown} error */
function reason(error) {
  switch (error instanceof DOMException ? error.name : "") {
    case "NotAllowedError": return "permission was refused. Allow it in the browser's address bar and try again.";
    case "NotFoundError": return "none was found on this device.";
    case "NotReadableError": return "another program is using it.";
    default: return "the browser could not open it.";
  }
}

export class Devices {
  /** @type {MediaStreamTrack | null} */ camera = null;
  /** @type {MediaStreamTrack | null} */ microphone = null;
  /** @type {MediaStreamTrack | null} */ screen = null;

  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
  }

  /** What each sender is to send. */
  tracks() {
    return { microphone: this.microphone, camera: this.camera, screen: this.screen };
  }

  on() {
    return { microphone: this.microphone?.enabled === true, camera: this.camera !== null, screen: this.screen !== null };
  }

  /** Opens what can be opened. @returns {Promise<string[]>} What could not, in words. */
  async open() {
    const problems = [];
    if (!navigator.mediaDevices) {
      return ["Camera and microphone need https, or localhost."];
    }
    const both = await navigator.mediaDevices.getUserMedia({ audio: AUDIO, video: VIDEO }).catch(() => null);
    if (both) {
      this.#take(both);
      return [];
    }
    for (const [what, constraints] of /** @type {const} */ ([["Camera", { video: VIDEO }], ["Microphone", { audio: AUDIO }]])) {
      try {
        this.#take(await navigator.mediaDevices.getUserMedia(constraints));
      } catch (error) {
        problems.push(`${what}: ${reason(error)}`);
      }
    }
    return problems;
  }

  /** @returns {Promise<string | null>} Why not. */
  async toggleMicrophone() {
    if (this.microphone) {
      // Silence is sent on: who stops sending says that nobody speaks.
      this.microphone.enabled = !this.microphone.enabled;
      this.changed();
      return null;
    }
    return this.#open("Microphone", { audio: AUDIO });
  }

  /** The camera is let go when it is off, so that its light is off too. @returns {Promise<string | null>} Why not. */
  async toggleCamera() {
    if (this.camera) {
      this.camera.stop();
      this.camera = null;
      this.changed();
      return null;
    }
    return this.#open("Camera", { video: VIDEO });
  }

  /** @returns {Promise<string | null>} Why not. */
  async toggleScreen() {
    if (this.screen) {
      this.screen.stop();
      this.screen = null;
      this.changed();
      return null;
    }
    try {
      const [track] = (await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: 15 } })).getVideoTracks();
      track.contentHint = "detail";
      track.onended = () => {
        this.screen = null;
        this.changed();
      };
      this.screen = track;
      this.changed();
      return null;
    } catch (error) {
      // Who closes the browser's question changed their mind: nothing to complain about.
      return error instanceof DOMException && error.name === "NotAllowedError" ? null : `Screen: ${reason(error)}`;
    }
  }

  close() {
    for (const track of [this.camera, this.microphone, this.screen]) {
      track?.stop();
    }
    this.camera = this.microphone = this.screen = null;
  }

  /** @param {string} what @param {MediaStreamConstraints} constraints */
  async #open(what, constraints) {
    try {
      this.#take(await navigator.mediaDevices.getUserMedia(constraints));
      this.changed();
      return null;
    } catch (error) {
      return `${what}: ${reason(error)}`;
    }
  }

  /** @param {MediaStream} stream */
  #take(stream) {
    for (const track of stream.getTracks()) {
      const slot = track.kind === "audio" ? "microphone" : "camera";
      this[slot]?.stop();
      this[slot] = track;
      track.onended = () => {
        this[slot] = null;
        this.changed();
      };
    }
  }
}

const AUDIO = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
const VIDEO = { width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 24, max: 30 } };
