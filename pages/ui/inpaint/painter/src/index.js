// The painter: the mask, painted over the picture. pages/ui/inpaint/painter/__init__.py is its other half.
//
// The server gets the whole mask as a small PNG, a moment after a stroke and at once when the hand turns to anything
// else on the page. What it answers says which mask it holds, so that nothing is lost when both change it.

import { Canvas, FabricImage } from "fabric"

import { Brush, Eraser, EllipseBrush, LassoBrush, PAINT, PolygonBrush, RectangleBrush, TAKE_AWAY } from "./brushes.js"
import { Cursor } from "./cursor.js"
import { Mask, valuesOf } from "./mask.js"
import { recall, remember } from "./memory.js"
import { base64, pngOf } from "./png.js"
import css from "./view.css"
import { HTML, TOOLS } from "./view.js"
import { Viewport } from "./viewport.js"

const PAUSE_MS = 300 // between two masks: strokes often follow one another
const AGAIN_MS = 6000 // without an answer: the connection may have been lost

const BRUSHES = {
  brush: Brush,
  eraser: Eraser,
  rectangle: RectangleBrush,
  ellipse: EllipseBrush,
  lasso: LassoBrush,
  polygon: PolygonBrush,
}
const SHAPES = ["rectangle", "ellipse", "lasso", "polygon"]

// Chosen once, kept when the artist comes back from another page. size: share of the longer side.
// amount: how much may change where it paints, in percent.
const chosen = {
  tool: "brush",
  size: 0.05,
  amount: 100,
  opacity: 55,
  tolerance: 24,
  connected: true,
  subtract: false,
  pressure: true,
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }
const CLOSING = "Choose the first one again to close the shape; Undo takes the last one back."

const seeThrough = (colour, percent) => colour.replace("rgb", "rgba").replace(")", `, ${percent / 100})`)

export function mount(component) {
  const root = component.parentElement
  const painter = root.inpaintPainter ?? (root.inpaintPainter = new Painter(root))
  painter.component = component
  painter.show(component.data)
  return () => setTimeout(() => painter.element.isConnected || painter.leave())
}

class Painter {
  constructor(root) {
    const style = document.createElement("style")
    style.textContent = css
    const made = document.createElement("template")
    made.innerHTML = HTML
    root.replaceChildren(style, made.content)
    this.element = root.querySelector(".painter")
    this.stage = this.find(".stage")
    this.id = Math.random().toString(36).slice(2, 10)
    this.sent = 0
    this.sentAt = -Infinity
    this.isSpaceHeld = false
    this.isAltHeld = false
    this.cursor = new Cursor(this)
    this.left = new AbortController()
    this.listen()
  }

  find(selector) {
    return this.element.querySelector(selector)
  }

  // What the server says -------------------------------------------------------------------------------------

  async show(data) {
    this.data = data
    if (data.key !== this.key) return this.open(data)
    if (!this.mask) return
    const known = this.snapshots.get(data.seen)
    if (known) {
      this.snapshots.clear()
      this.held = known
      clearTimeout(this.again)
    }
    if (data.revision !== this.revision) await this.take(data)
    this.tell()
  }

  async open(data) {
    if (this.mask) remember(this.key, this.mask)
    this.key = data.key
    this.revision = data.revision
    this.mask = null
    this.snapshots = new Map()
    const picture = this.find(".picture")
    picture.src = data.picture
    picture.style.width = `${data.width}px`
    picture.style.height = `${data.height}px`
    const mask = new Mask(data.width, data.height)
    if (data.mask) mask.load(await valuesOf(data.mask, data.width, data.height))
    if (data.key !== this.key) return
    this.canvas ??= new Canvas(this.find("canvas"), {
      enablePointerEvents: true,
      selection: false,
      skipTargetFind: true,
      renderOnAddRemove: false,
      fireMiddleClick: false,
    })
    this.held = mask.values.slice()
    const remembered = recall(data.key, mask)
    if (remembered) mask.resume(remembered)
    this.mask = mask
    this.canvas.remove(...this.canvas.getObjects())
    this.layer = new FabricImage(mask.canvas, {
      left: data.width / 2,
      top: data.height / 2,
      originX: "center",
      originY: "center",
      objectCaching: false,
      erasable: true,
    })
    this.canvas.add(this.layer)
    // Of the picture before, perhaps with corners.
    this.canvas.freeDrawingBrush = undefined
    this.cursor.leave()
    this.viewport = new Viewport(this.stage, this.canvas, picture, data, () => this.moved())
    this.watch()
    this.choose(chosen.tool)
    this.tell()
    if (this.data !== data) this.show(this.data)
  }

  // The server has changed the mask: over it goes what was painted here since it last heard.
  async take(data) {
    const revision = data.revision
    const values = data.mask
      ? await valuesOf(data.mask, data.width, data.height)
      : new Uint8Array(data.width * data.height)
    if (revision !== this.data.revision || revision === this.revision) return
    const { held } = this
    const merged = values.map((value, k) => (this.mask.values[k] === held[k] ? value : this.mask.values[k]))
    this.revision = revision
    this.held = values
    this.snapshots.clear()
    this.mask.replace(merged)
    this.unsent = merged.some((value, k) => value !== values[k])
    if (this.unsent) this.sendSoon()
    this.draw()
  }

  // What the server is told -------------------------------------------------------------------------------------

  changed() {
    this.unsent = true
    this.sendSoon()
    this.draw()
    this.tell()
  }

  sendSoon() {
    clearTimeout(this.waiting)
    const pause = this.sentAt + PAUSE_MS - performance.now()
    if (pause <= 0) this.send()
    else this.waiting = setTimeout(() => this.send(), pause)
  }

  // place: where similar colours are asked for.
  send(place) {
    clearTimeout(this.waiting)
    if (!this.mask || (!this.unsent && !place)) return
    this.unsent = false
    const stamp = `${this.id}.${++this.sent}`
    this.snapshots.set(stamp, this.mask.values.slice())
    const png = base64(pngOf(this.mask.values, this.mask.width, this.mask.height))
    this.sentAt = performance.now()
    // A state, not a trigger: it is still there when a run is cut short by the next one.
    this.component.setStateValue("painted", { png, stamp, revision: this.revision, place })
    // Streamlit sends in a moment, with whatever happens until then.
    this.isLeaving = true
    setTimeout(() => {
      this.isLeaving = false
    })
    clearTimeout(this.again)
    this.again = setTimeout(() => {
      this.unsent = this.snapshots.size > 0
      this.send()
    }, AGAIN_MS)
  }

  pick(place) {
    const { width, height } = this.mask
    const [x, y] = [Math.floor(place.x), Math.floor(place.y)]
    if (x < 0 || y < 0 || x >= width || y >= height) return
    const { tolerance, connected } = chosen
    this.send({ x, y, tolerance, connected, subtract: this.takesAway })
    this.tell()
  }

  leave() {
    this.send()
    if (this.mask) remember(this.key, this.mask)
    clearTimeout(this.again)
    this.left.abort()
    this.watcher?.disconnect()
    this.canvas?.dispose()
  }

  // Tools ---------------------------------------------------------------------------------------------------------

  get size() {
    return Math.max(1, chosen.size * Math.max(this.mask.width, this.mask.height))
  }

  get takesAway() {
    return chosen.subtract !== this.isAltHeld
  }

  // Of the polygon that is being made.
  get corners() {
    return this.canvas?.freeDrawingBrush?.corners ?? []
  }

  choose(tool) {
    chosen.tool = tool
    for (const button of this.element.querySelectorAll("[data-tool]")) {
      button.setAttribute("aria-pressed", String(button.dataset.tool === tool))
    }
    for (const label of this.element.querySelectorAll("[data-for]")) {
      label.hidden = !label.dataset.for.split(" ").includes(tool) || (label.classList.contains("pen") && !this.hasPen)
    }
    this.takeUp()
  }

  takeUp() {
    if (!this.canvas || !this.mask) return
    this.drop()
    const { corners } = this
    const Kind = BRUSHES[chosen.tool]
    this.canvas.isDrawingMode = Kind !== undefined
    this.canvas.freeDrawingBrush =
      Kind &&
      new Kind(
        this.canvas,
        (shape) => this.finished(shape),
        () => this.tell(),
      )
    if (Kind === PolygonBrush) this.canvas.freeDrawingBrush.corners = corners
    this.tell()
    this.canvas.defaultCursor = chosen.tool === "hand" ? "grab" : "crosshair"
    this.adjust()
  }

  adjust() {
    const brush = this.canvas?.freeDrawingBrush
    if (brush) {
      brush.width = this.size
      brush.feelsPressure = chosen.pressure
      const isTaking = SHAPES.includes(chosen.tool) && this.takesAway
      if (chosen.tool !== "eraser") brush.color = isTaking ? TAKE_AWAY : seeThrough(PAINT, chosen.amount)
      brush.show?.()
    }
    this.element.style.setProperty("--veil", chosen.opacity / 100)
    this.writeOptions()
    this.moveRing()
  }

  writeOptions() {
    if (!this.mask) return
    const widest = Math.log(Math.max(this.mask.width, this.mask.height) / 2)
    this.find("[name=size]").value = Math.round((1000 * Math.log(this.size)) / widest)
    const pixels = Math.max(1, Math.round((this.size * this.data.picture_width) / this.mask.width))
    this.find(".size").value = `${pixels} px`
    this.find("[name=size]").setAttribute("aria-valuetext", `${pixels} pixels of the picture`)
    for (const name of ["amount", "opacity", "tolerance"]) this.find(`[name=${name}]`).value = chosen[name]
    for (const name of ["connected", "subtract", "pressure"]) this.find(`[name=${name}]`).checked = chosen[name]
    this.find(".tolerance").value = chosen.tolerance
    this.find("output.amount").value = `${chosen.amount} %`
  }

  resizeBrush(factor) {
    const longest = Math.max(this.mask.width, this.mask.height)
    const next = factor > 1 ? Math.max(this.size + 1, this.size * factor) : Math.min(this.size - 1, this.size * factor)
    chosen.size = Math.min(longest / 2, Math.max(1, next)) / longest
    this.adjust()
  }

  finished(shape) {
    const takesAway = chosen.tool === "eraser" || (SHAPES.includes(chosen.tool) && this.takesAway)
    if (this.mask.paint(shape, takesAway ? 0 : Math.round(2.55 * chosen.amount))) this.changed()
    else this.draw()
  }

  // A stroke that turned out to be the first finger of two.
  drop() {
    const brush = this.canvas.freeDrawingBrush
    brush?.leave?.()
    if (brush?._points) brush._points = []
    if (brush?.points) brush.points = []
    this.canvas._isCurrentlyDrawing = false
    this.cursor.isDown = false
    this.canvas.clearContext(this.canvas.contextTop)
    this.draw()
  }

  act(name) {
    if (!this.mask) return
    const moves = { minus: () => this.viewport.zoomBy(1 / 1.4), plus: () => this.viewport.zoomBy(1.4) }
    const steps = {
      undo: () => (this.corners.length ? this.canvas.freeDrawingBrush.takeBack() : this.mask.undo()),
      redo: () => this.mask.redo(),
      clear: () => this.mask.replace(new Uint8Array(this.mask.values.length)),
    }
    if (name in moves) moves[name]()
    else if (name in steps) steps[name]() && this.changed()
    else if (name === "fit") this.viewport.fit()
    else if (name === "keys") this.showKeys(this.find(".keys").hidden)
  }

  showKeys(isShown) {
    this.find(".keys").hidden = !isShown
    this.find("[data-act=keys]").setAttribute("aria-expanded", String(isShown))
  }

  // On the screen -------------------------------------------------------------------------------------------------

  watch() {
    this.watcher ??= new ResizeObserver(() => this.fill())
    this.watcher.disconnect()
    this.width = 0
    this.watcher.observe(this.stage)
    this.fill()
  }

  fill() {
    const width = Math.floor(this.stage.clientWidth)
    if (!this.mask || width < 50 || width === this.width) return
    this.width = width
    // Lower under a finger, which needs room beside the picture to scroll on: upon it, it paints.
    const highest = matchMedia("(pointer: coarse)").matches ? Math.min(440, innerHeight * 0.6) : innerHeight * 0.7
    const height = Math.round(Math.max(180, Math.min((width * this.mask.height) / this.mask.width, highest)))
    this.stage.style.height = `${height}px`
    this.viewport.resize(width, height)
    this.takeUp()
  }

  draw() {
    this.canvas?.requestRenderAll()
  }

  moved() {
    this.find(".zoom").value = `${Math.round((this.viewport.zoom * this.mask.width * 100) / this.data.picture_width)} %`
    this.layer.imageSmoothing = this.viewport.zoom < 1
    this.canvas.freeDrawingBrush?.show?.()
    this.draw()
    this.moveRing()
  }

  moveRing(event) {
    const ring = this.find(".ring")
    if (event) this.pointer = event.pointerType === "touch" ? null : this.viewport.placeOf(event)
    if (!this.viewport) return
    const isBrush = ["brush", "eraser"].includes(chosen.tool) && !this.isSpaceHeld
    const at = this.cursor.isShown ? this.viewport.screenOf(this.cursor.at) : isBrush && this.pointer
    const brush = this.size * this.viewport.zoom
    this.canvas.freeDrawingCursor = isBrush && brush > 8 ? "none" : "crosshair"
    ring.hidden = !at
    ring.classList.toggle("by-keys", this.cursor.isShown)
    if (!at) return
    const across = isBrush ? brush : 3
    ring.style.width = ring.style.height = `${across}px`
    ring.style.transform = `translate(${at.x - across / 2}px, ${at.y - across / 2}px)`
  }

  tell() {
    const { coverage } = this.mask
    const corners = this.corners.length
    const share = coverage < 0.01 ? "Less than 1 %" : `${Math.round(coverage * 100)} %`
    const words = corners
      ? `${corners} ${corners === 1 ? "corner" : "corners"}. ${corners < 3 ? "Three make a shape." : CLOSING}`
      : coverage
        ? `${share} of the picture will be repainted.`
        : "Nothing is masked yet. Paint over what should change."
    if (this.find(".words").textContent !== words) this.find(".words").textContent = words
    this.element.dataset.stored = String(!this.unsent && this.snapshots.size === 0)
    this.find("[data-act=undo]").disabled = !this.mask.canUndo && !corners
    this.find("[data-act=redo]").disabled = !this.mask.canRedo
    this.find("[data-act=clear]").disabled = !coverage
  }

  // For those who hear the page.
  say(words) {
    this.find(".said").textContent = words
  }

  // Hands -----------------------------------------------------------------------------------------------------------

  listen() {
    const { signal } = this.left
    const on = (target, type, act, more) => target.addEventListener(type, act, { signal, ...more })
    for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
      on(this.stage, type, (event) => this.mask && this.hand(event), { capture: true })
    }
    on(this.stage, "pointerleave", () => {
      this.pointer = null
      this.viewport && this.moveRing()
    })
    on(
      this.stage,
      "focus",
      () => this.mask && this.stage.matches(":focus-visible") && this.byKeys(() => this.cursor.show()),
    )
    on(this.stage, "blur", () => {
      this.cursor.hide()
      this.viewport && this.moveRing()
    })
    on(this.stage, "click", (event) => this.clicked(event))
    on(this.stage, "wheel", (event) => this.wheel(event), { passive: false })
    on(this.stage, "contextmenu", (event) => event.preventDefault())
    on(this.element, "keydown", (event) => this.pressed(event))
    on(this.element, "keyup", (event) => this.released(event))
    on(this.element, "pointerleave", () => this.send())
    on(this.element, "focusout", () => this.send())
    on(this.element, "click", (event) => {
      const button = event.target.closest("button")
      if (button?.dataset.tool) this.choose(button.dataset.tool)
      else if (button) this.act(button.dataset.act)
    })
    on(this.element, "input", (event) => this.option(event.target))
    // Before anything else on the page hears of it.
    on(document, "pointerdown", (event) => event.composedPath().includes(this.element) || this.send(), {
      capture: true,
    })
    on(document, "click", (event) => this.clickedElsewhere(event), { capture: true })
    on(window, "pagehide", () => {
      this.send()
      if (this.mask) remember(this.key, this.mask)
    })
    on(window, "blur", () => {
      this.isSpaceHeld = false
      this.isAltHeld = false
      this.cursor.lift()
    })
  }

  option(input) {
    const { name } = input
    if (name === "size") {
      const longest = Math.max(this.mask.width, this.mask.height)
      chosen.size = Math.exp((input.value / 1000) * Math.log(longest / 2)) / longest
    } else if (input.type === "checkbox") chosen[name] = input.checked
    else chosen[name] = Number(input.value)
    this.adjust()
  }

  hand(event) {
    if (event.type === "pointerdown") {
      this.stage.focus({ preventScroll: true })
      this.showKeys(false)
    }
    if (event.type === "pointerdown" || this.hasMoved(event)) this.cursor.leave()
    if (event.pointerType === "pen" && !this.hasPen) {
      this.hasPen = true
      this.choose(chosen.tool)
    }
    if (this.viewport.touch(event)) {
      this.drop()
      if (event.type !== "pointerup") event.stopPropagation()
      return
    }
    this.pan(event)
    this.moveRing(event)
  }

  // Chromium also sends a move when the page itself has moved below a resting mouse.
  hasMoved({ screenX, screenY }) {
    const [x, y] = this.movedTo ?? []
    this.movedTo = [screenX, screenY]
    return screenX !== x || screenY !== y
  }

  pan(event) {
    const begins = event.button === 1 || (event.button === 0 && (this.isSpaceHeld || chosen.tool === "hand"))
    if (event.type === "pointerdown" && begins) {
      this.panned = { id: event.pointerId, ...this.viewport.placeOf(event) }
      this.stage.setPointerCapture(event.pointerId)
    }
    if (this.panned?.id !== event.pointerId) return
    event.preventDefault()
    event.stopPropagation()
    if (event.type === "pointermove") {
      const now = this.viewport.placeOf(event)
      this.viewport.panBy(now.x - this.panned.x, now.y - this.panned.y)
      Object.assign(this.panned, now)
    } else if (event.type !== "pointerdown") this.panned = null
  }

  clicked(event) {
    if (chosen.tool !== "similar" || !this.mask || this.isSpaceHeld) return
    const { x, y } = this.viewport.placeOf(event)
    this.isAltHeld = event.altKey
    this.pick(this.viewport.sceneOf(x, y))
  }

  // Streamlit sends a click together with a mask that is about to leave as one change of our fragment, and so Generate,
  // which stands outside of it, would never hear of the click. It may follow a moment later.
  clickedElsewhere(event) {
    if (!this.isLeaving || !event.isTrusted || event.composedPath().includes(this.element)) return
    event.preventDefault()
    event.stopImmediatePropagation()
    const [target] = event.composedPath()
    const { clientX, clientY, detail } = event
    const again = { bubbles: true, cancelable: true, composed: true, view: window, clientX, clientY, detail }
    setTimeout(() => target.dispatchEvent(new MouseEvent("click", again)))
  }

  wheel(event) {
    if (!this.mask) return
    const isFocused = this.stage.getRootNode().activeElement === this.stage
    const comesCloser = event.deltaY < 0
    // The page scrolls where there is nothing to zoom, and as long as nobody paints.
    if (!event.ctrlKey && !event.metaKey && (!isFocused || (!comesCloser && this.viewport.isFitted))) return
    event.preventDefault()
    const { x, y } = this.viewport.placeOf(event)
    this.viewport.zoomBy(Math.exp(-Math.max(-120, Math.min(120, event.deltaY)) / 400), x, y)
  }

  pressed(event) {
    if (!this.mask || event.isComposing) return
    const act = this.meaning(event)
    if (!act) return
    event.preventDefault()
    // Streamlit has keys of its own: r runs the page anew.
    event.stopPropagation()
    act()
  }

  meaning(event) {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
    const isOnStage = event.target === this.stage
    if (event.ctrlKey || event.metaKey) {
      if (key === "z") return () => this.act(event.shiftKey ? "redo" : "undo")
      if (key === "y") return () => this.act("redo")
      return isOnStage && key in ARROWS ? () => this.panByKeys(ARROWS[key], event.shiftKey) : null
    }
    const tool = Object.keys(TOOLS).find((name) => TOOLS[name][1].toLowerCase() === key)
    if (tool) return () => this.choose(tool)
    const anywhere = {
      "[": () => this.resizeBrush(1 / 1.2),
      "]": () => this.resizeBrush(1.2),
      "+": () => this.act("plus"),
      "=": () => this.act("plus"),
      "-": () => this.act("minus"),
      0: () => this.act("fit"),
      "?": () => this.act("keys"),
    }
    if (key in anywhere) return anywhere[key]
    if (key === "Escape" && !this.find(".keys").hidden) return () => this.showKeys(false)
    return isOnStage ? this.meaningOnStage(key, event) : null
  }

  meaningOnStage(key, { shiftKey, repeat }) {
    if (key in ARROWS) {
      return chosen.tool === "hand"
        ? () => this.panByKeys(ARROWS[key], shiftKey)
        : () => this.byKeys(() => this.cursor.move(...ARROWS[key], shiftKey))
    }
    const polygon = this.corners.length > 0 && this.canvas.freeDrawingBrush
    const press = () => repeat || this.byKeys(() => this.cursor.press())
    return {
      " ":
        this.cursor.isShown || !this.pointer
          ? press
          : () => {
              this.isSpaceHeld = true
              this.moveRing()
            },
      Enter: polygon?.canClose ? () => polygon.close() : press,
      Escape: polygon ? () => polygon.forget() : this.cursor.isDown ? () => this.drop() : null,
      Backspace: () => (polygon ? polygon.takeBack() : this.act("clear")),
      Delete: () => this.act("clear"),
      Alt: () => {
        this.isAltHeld = true
        this.adjust()
      },
    }[key]
  }

  // The keys lead the brush.
  byKeys(act) {
    act()
    this.moveRing()
  }

  panByKeys([dx, dy], isFar) {
    const step = isFar ? 200 : 50
    this.viewport.panBy(-dx * step, -dy * step)
  }

  released(event) {
    if (event.key === " ") this.isSpaceHeld = false
    if (event.key === "Alt") this.isAltHeld = false
    if (event.key === " " || event.key === "Enter") this.cursor.lift()
    if (this.mask) this.adjust()
  }
}
