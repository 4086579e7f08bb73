// The painter: the mask, painted over the picture. pages/ui/inpaint/painter/__init__.py is its other half.
//
// The server gets the whole mask as a small PNG, a moment after a stroke and at once when the hand turns to anything
// else on the page.

import { Canvas, FabricImage } from "fabric"

import { Brush, Eraser, EllipseBrush, LassoBrush, PAINT, PolygonBrush, RectangleBrush, TAKE_AWAY } from "./brushes.js"
import { chosen } from "./chosen.js"
import { Cursor } from "./cursor.js"
import { Exchange } from "./exchange.js"
import { Hands } from "./hands.js"
import { Mask, valuesOf } from "./mask.js"
import { recall, remember } from "./memory.js"
import { Preview } from "./preview.js"
import { Results } from "./results.js"
import css from "./view.css"
import { HTML } from "./view.js"
import { Viewport } from "./viewport.js"

const BRUSHES = {
  brush: Brush,
  eraser: Eraser,
  rectangle: RectangleBrush,
  ellipse: EllipseBrush,
  lasso: LassoBrush,
  polygon: PolygonBrush,
}
const SHAPES = ["rectangle", "ellipse", "lasso", "polygon"]

const CLOSING = "Choose the first one again to close the shape; Undo takes the last one back."

const CHECKED = { true: "Outside the mask: unchanged (checked)", false: "Outside the mask: changed" }

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
    this.exchange = new Exchange(this)
    this.cursor = new Cursor(this)
    this.left = new AbortController()
    this.hands = new Hands(this, this.left.signal)
    this.results = new Results(this, this.left.signal)
    this.preview = new Preview(this, this.left.signal)
  }

  find(selector) {
    return this.element.querySelector(selector)
  }

  async show(data) {
    this.data = data
    if (data.key !== this.key) return this.open(data)
    if (!this.mask) return
    await this.exchange.hear(data)
    if (!this.mask) return
    this.results.hear(data)
    this.tell()
  }

  async open(data) {
    if (this.mask) remember(this.key, this.mask)
    this.key = data.key
    this.mask = null
    this.exchange.begin(data.revision)
    const picture = this.find(".picture")
    picture.src = data.picture
    for (const scene of this.element.querySelectorAll(".scene")) {
      scene.style.width = `${data.width}px`
      scene.style.height = `${data.height}px`
    }
    this.element.style.setProperty("--tall", data.height / data.width)
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
    this.exchange.held = mask.values.slice()
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
    this.viewport = new Viewport(this.stage, this.canvas, this.find(".scene"), data, () => this.moved())
    this.watch()
    this.choose(chosen.tool)
    this.results.begin(data)
    this.tell()
    if (this.data !== data) this.show(this.data)
  }

  // The mask is seen on the picture itself, whatever was looked at.
  seeMask() {
    if (this.results.shown) this.results.show(null)
  }

  get isPainting() {
    return Boolean(this.canvas?._isCurrentlyDrawing) || this.cursor.isDown || this.corners.length > 0
  }

  changed() {
    this.seeMask()
    this.exchange.changed()
    this.draw()
    this.tell()
  }

  pick(place) {
    const { width, height } = this.mask
    const [x, y] = [Math.floor(place.x), Math.floor(place.y)]
    if (x < 0 || y < 0 || x >= width || y >= height) return
    const { tolerance, connected } = chosen
    this.exchange.send({ x, y, tolerance, connected, subtract: this.takesAway })
    this.tell()
  }

  leave() {
    this.exchange.end()
    if (this.mask) remember(this.key, this.mask)
    this.results.leave()
    this.left.abort()
    this.watcher?.disconnect()
    this.canvas?.dispose()
  }

  get size() {
    return Math.max(1, chosen.size * Math.max(this.mask.width, this.mask.height))
  }

  get takesAway() {
    return chosen.subtract !== this.hands.isAltHeld
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
    // The chain of pictures goes on where the history of the mask ends.
    const isAtStart = !this.mask.canUndo && !this.corners.length
    if (name === "undo" && isAtStart && this.data.back) return this.results.send("back", "")
    if (name === "redo" && !this.mask.canRedo && this.data.forward) return this.results.send("forward", "")
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

  watch() {
    this.watcher ??= new ResizeObserver(() => this.fill())
    this.watcher.disconnect()
    this.filled = ""
    this.watcher.observe(this.stage)
    this.fill()
  }

  fill() {
    const { clientWidth: width, clientHeight: height } = this.stage
    if (!this.mask || width < 50 || height < 50 || `${width} ${height}` === this.filled) return
    this.filled = `${width} ${height}`
    this.viewport.resize(width, height)
    this.takeUp()
  }

  draw() {
    this.canvas?.requestRenderAll()
  }

  moved() {
    const [scene, above] = this.element.querySelectorAll(".scene")
    above.style.transform = scene.style.transform
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
    const isBrush = ["brush", "eraser"].includes(chosen.tool) && !this.hands.isSpaceHeld
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
    const { shown } = this.results
    const words = shown
      ? [shown.title, CHECKED[shown.checked]].filter(Boolean).join(". ")
      : corners
        ? `${corners} ${corners === 1 ? "corner" : "corners"}. ${corners < 3 ? "Three make a shape." : CLOSING}`
        : coverage
          ? `${share} of the picture will be repainted.`
          : "Nothing is masked yet. Paint over what should change."
    if (this.find(".words").textContent !== words) this.find(".words").textContent = words
    this.element.dataset.stored = String(this.exchange.isStored)
    this.find("[data-act=undo]").disabled = !this.mask.canUndo && !corners && !this.data.back
    this.find("[data-act=redo]").disabled = !this.mask.canRedo && !this.data.forward
    this.find("[data-act=clear]").disabled = !coverage
  }

  // For those who hear the page.
  say(words) {
    this.find(".said").textContent = words
  }
}
