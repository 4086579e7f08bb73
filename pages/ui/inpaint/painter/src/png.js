// A mask as a PNG of one channel: one bit a pixel if it is black and white only, else eight.
// The browser's own encoder writes four channels, and not at once: what is painted right before a click on Generate
// has to leave before that click does.

import { zlibSync } from "fflate"

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10]
const CRC = new Uint32Array(256).map((_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1
  return n
})

export function pngOf(values, width, height) {
  const isHard = values.every((value) => value === 0 || value === 255)
  const rows = isHard ? bits(values, width, height) : bytes(values, width, height)
  const header = new Uint8Array(13)
  const view = new DataView(header.buffer)
  view.setUint32(0, width)
  view.setUint32(4, height)
  header.set([isHard ? 1 : 8, 0, 0, 0, 0], 8)
  return joined([
    Uint8Array.from(SIGNATURE),
    chunk("IHDR", header),
    chunk("IDAT", zlibSync(rows, { level: 6 })),
    chunk("IEND", new Uint8Array(0)),
  ])
}

export function base64(data) {
  let text = ""
  for (let at = 0; at < data.length; at += 0x8000) text += String.fromCharCode(...data.subarray(at, at + 0x8000))
  return btoa(text)
}

function bits(values, width, height) {
  const stride = 1 + Math.ceil(width / 8)
  const rows = new Uint8Array(stride * height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (values[y * width + x]) rows[y * stride + 1 + (x >> 3)] |= 128 >> (x & 7)
    }
  }
  return rows
}

function bytes(values, width, height) {
  const rows = new Uint8Array((width + 1) * height)
  for (let y = 0; y < height; y++) rows.set(values.subarray(y * width, (y + 1) * width), y * (width + 1) + 1)
  return rows
}

function chunk(name, data) {
  const made = new Uint8Array(12 + data.length)
  const view = new DataView(made.buffer)
  view.setUint32(0, data.length)
  for (let k = 0; k < 4; k++) made[4 + k] = name.charCodeAt(k)
  made.set(data, 8)
  let crc = 0xffffffff
  for (let at = 4; at < 8 + data.length; at++) crc = CRC[(crc ^ made[at]) & 255] ^ (crc >>> 8)
  view.setUint32(8 + data.length, (crc ^ 0xffffffff) >>> 0)
  return made
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
