// @ts-check
// The drawings on buttons: 24 by 24, stroked.

/** @type {Record<string, string>} */
const PATHS = {
  microphone: "M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM6 11a6 6 0 0 0 12 0M12 17v4M9 21h6",
  camera: "M4 7h9a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V9a2 2 0 0 1 2-2zM15 11l6-3v8l-6-3",
  screen: "M3 5h18v11H3zM8 20h8M12 16v4M12 13V8M9.5 10.5 12 8l2.5 2.5",
  "hang-up": "M1.5 13.5c6-6 15-6 21 0l-2.6 3.6-4.9-1.7v-2.7a12 12 0 0 0-6 0v2.7l-4.9 1.7z",
  file: "M20 11l-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.700 4.700L9.5 17a1.700 1.700 0 0 1-2.400-2.400L14.5 7",
};
const SLASH = "M3 3l18 18";

/** @param {string} name @param {boolean} [isOff] Struck through. */
export function icon(name, isOff = false) {
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name] + (isOff ? SLASH : ""));
  drawing.append(path);
  return drawing;
}
