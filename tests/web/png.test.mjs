import assert from "node:assert/strict"
import { Buffer } from "node:buffer"
import { test } from "node:test"
import zlib from "node:zlib"

import { base64, pngOf } from "../../pages/ui/inpaint/painter/src/png.js"

// Read with another deflate and another checksum than those it was written with.
function read(png) {
  const buffer = Buffer.from(png)
  assert.deepEqual([...buffer.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  const chunks = {}
  for (let at = 8; at < buffer.length;) {
    const length = buffer.readUInt32BE(at)
    const named = buffer.subarray(at + 4, at + 8 + length)
    assert.equal(buffer.readUInt32BE(at + 8 + length), zlib.crc32(named))
    chunks[named.subarray(0, 4).toString("latin1")] = named.subarray(4)
    at += 12 + length
  }
  assert.deepEqual(Object.keys(chunks), ["IHDR", "IDAT", "IEND"])
  const [width, height] = [chunks.IHDR.readUInt32BE(0), chunks.IHDR.readUInt32BE(4)]
  const [depth, colour, ...rest] = chunks.IHDR.subarray(8)
  assert.deepEqual([colour, ...rest], [0, 0, 0, 0])
  const rows = zlib.inflateSync(chunks.IDAT)
  const stride = 1 + Math.ceil((width * depth) / 8)
  assert.equal(rows.length, stride * height)
  const values = Array.from({ length: width * height }, (_, k) => {
    const [x, y] = [k % width, Math.floor(k / width)]
    assert.equal(rows[y * stride], 0)
    if (depth === 8) return rows[y * stride + 1 + x]
    return (rows[y * stride + 1 + (x >> 3)] >> (7 - (x & 7))) & 1 ? 255 : 0
  })
  return { width, height, depth, values }
}

for (const [width, height] of [
  [1, 1],
  [7, 3],
  [8, 3],
  [9, 5],
  [640, 2],
]) {
  test(`a hard mask of ${width} x ${height} comes back from a PNG of one bit a pixel`, () => {
    const values = Uint8Array.from({ length: width * height }, (_, k) => ((k * k + k) % 3 ? 255 : 0))

    assert.deepEqual(read(pngOf(values, width, height)), {
      width,
      height,
      depth: 1,
      values: [...values],
    })
  })

  test(`a soft mask of ${width} x ${height} comes back from a PNG of eight bits a pixel`, () => {
    const values = Uint8Array.from({ length: width * height }, (_, k) => (7 + 31 * k) % 255)

    assert.deepEqual(read(pngOf(values, width, height)), {
      width,
      height,
      depth: 8,
      values: [...values],
    })
  })
}

test("base64 of more than one piece is that of the whole", () => {
  const data = Uint8Array.from({ length: 3 * 0x8000 + 5 }, (_, k) => (k * 7) % 256)

  assert.equal(base64(data), Buffer.from(data).toString("base64"))
})
