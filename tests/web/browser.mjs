// As much of a browser as the painter's arithmetic asks for: canvases that know rectangles, and a tab's storage.

export const install = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true })

export class ImageData {
  constructor(width, height) {
    Object.assign(this, {
      width,
      height,
      data: new Uint8ClampedArray(4 * width * height),
    })
  }
}

class Context {
  constructor(canvas) {
    this.canvas = canvas
  }

  get pixels() {
    return (this.shown ??= new ImageData(this.canvas.width, this.canvas.height))
  }

  save() {}
  restore() {}
  beginPath() {}
  rect() {}
  clip() {}

  clearRect(x, y, width, height) {
    this.fillRect(x, y, width, height, 0)
  }

  fillRect(x, y, width, height, alpha = 255) {
    for (let row = Math.max(0, y); row < Math.min(this.canvas.height, y + height); row++) {
      for (let column = Math.max(0, x); column < Math.min(this.canvas.width, x + width); column++) {
        this.pixels.data[4 * (row * this.canvas.width + column) + 3] = alpha
      }
    }
  }

  getImageData(x, y, width, height) {
    const part = new ImageData(width, height)
    for (let row = 0; row < height; row++) {
      const at = 4 * ((y + row) * this.canvas.width + x)
      part.data.set(this.pixels.data.subarray(at, at + 4 * width), 4 * row * width)
    }
    return part
  }

  putImageData(part, x, y) {
    for (let row = 0; row < part.height; row++) {
      const at = 4 * row * part.width
      this.pixels.data.set(part.data.subarray(at, at + 4 * part.width), 4 * ((y + row) * this.canvas.width + x))
    }
  }
}

export const document = {
  createElement() {
    const canvas = {}
    const context = new Context(canvas)
    canvas.getContext = () => context
    return canvas
  },
}

// As window.sessionStorage: what is kept are its own properties. characters: how many have room.
export class Storage {
  #characters

  constructor(characters = 5e6) {
    this.#characters = characters
  }

  getItem(key) {
    return Object.hasOwn(this, key) ? this[key] : null
  }

  setItem(key, text) {
    const others = Object.keys(this).reduce((sum, other) => sum + (other === key ? 0 : this[other].length), 0)
    if (others + text.length > this.#characters) throw new DOMException("Full", "QuotaExceededError")
    this[key] = text
  }

  removeItem(key) {
    delete this[key]
  }
}

// Shapes as the brushes hand them over.
export const rectangle = (x, y, width, height) => ({
  box: { x, y, width, height },
  draw: (context) => context.fillRect(x, y, width, height),
})
