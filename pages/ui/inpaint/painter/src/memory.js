// The history of a mask outlives the painter: who comes back from another page, or loads this one anew, can undo.

import { deflateSync, inflateSync } from "fflate"

import { base64 } from "./png.js"

const PREFIX = "inpaint-history."
const MOST = 1.2e6 // characters for one picture; a tab has five million for all
const PICTURES = 3

export function remember(key, mask) {
  if (!mask.history.length) return
  forgetOthers(key, PICTURES - 1)
  let room = MOST
  const parts = []
  const pack = (part) => {
    const text = base64(part)
    room -= text.length
    return text
  }
  const values = pack(deflateSync(mask.values, { level: 6 }))
  // The newest first: what is lost for want of room is what was painted first.
  for (const { box, before, after } of mask.history.slice().reverse()) {
    const step = { box, before: pack(before), after: pack(after) }
    if (room < 0) break
    parts.unshift(step)
  }
  const taken = mask.taken - (mask.history.length - parts.length)
  const text = JSON.stringify({ at: Date.now(), width: mask.width, height: mask.height, values, taken, steps: parts })
  try {
    if (taken >= 0 && text.length <= 2 * MOST) sessionStorage.setItem(PREFIX + key, text)
  } catch {
    // Full, or not allowed: then it is only the history of this visit.
    forgetOthers(key, 0)
  }
}

// What was remembered for this picture, or null: { values, history, taken }.
export function recall(key, { width, height }) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(PREFIX + key))
    if (kept?.width !== width || kept.height !== height) return null
    const history = kept.steps.map(({ box, before, after }) => ({ box, before: bytes(before), after: bytes(after) }))
    return { values: inflateSync(bytes(kept.values)), history, taken: kept.taken }
  } catch {
    return null
  }
}

function forgetOthers(key, most) {
  try {
    const others = Object.keys(sessionStorage).filter((name) => name.startsWith(PREFIX) && name !== PREFIX + key)
    const age = (name) => JSON.parse(sessionStorage.getItem(name)).at
    for (const name of others.sort((a, b) => age(b) - age(a)).slice(most)) sessionStorage.removeItem(name)
  } catch {
    // Not allowed to look.
  }
}

const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0))
