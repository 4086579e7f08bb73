// What hands do on the painter: mouse, pen, fingers and wheel. What keys mean is in keys.js.

import { chosen } from "./chosen.js"
import { meaningOf } from "./keys.js"
import { remember } from "./memory.js"

export class Hands {
  // signal: ends it all.
  constructor(painter, signal) {
    this.painter = painter
    this.isSpaceHeld = false
    this.isAltHeld = false
    const on = (target, type, act, more) => target.addEventListener(type, act, { signal, ...more })
    this.listenOnStage(on)
    this.listenOnPainter(on)
    this.listenOnPage(on)
  }

  listenOnStage(on) {
    const { painter } = this
    const { stage, cursor } = painter
    for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
      on(stage, type, (event) => painter.mask && this.point(event), { capture: true })
    }
    on(stage, "pointerleave", () => {
      painter.pointer = null
      painter.viewport && painter.moveRing()
    })
    on(stage, "focus", () => {
      if (!painter.mask || !stage.matches(":focus-visible")) return
      cursor.show()
      painter.moveRing()
    })
    on(stage, "blur", () => {
      cursor.hide()
      painter.viewport && painter.moveRing()
    })
    on(stage, "click", (event) => this.click(event))
    on(stage, "wheel", (event) => this.wheel(event), { passive: false })
    on(stage, "contextmenu", (event) => event.preventDefault())
  }

  listenOnPainter(on) {
    const { painter } = this
    const { element, exchange } = painter
    on(element, "keydown", (event) => this.press(event))
    on(element, "keyup", (event) => this.release(event))
    on(element, "pointerleave", () => exchange.send())
    on(element, "focusout", () => exchange.send())
    on(element, "click", (event) => {
      const button = event.target.closest("button")
      if (button?.dataset.tool) painter.choose(button.dataset.tool)
      else if (button?.dataset.act) painter.act(button.dataset.act)
    })
    on(element, "input", (event) => this.option(event.target))
  }

  // Before anything else on the page hears of it.
  listenOnPage(on) {
    const { painter } = this
    const { element, exchange } = painter
    on(document, "pointerdown", (event) => event.composedPath().includes(element) || exchange.send(), { capture: true })
    on(document, "click", (event) => this.clickElsewhere(event), { capture: true })
    on(window, "pagehide", () => {
      exchange.send()
      if (painter.mask) remember(painter.key, painter.mask)
    })
    on(window, "blur", () => {
      this.isSpaceHeld = false
      this.isAltHeld = false
      painter.cursor.lift()
    })
  }

  option(input) {
    const { name } = input
    if (name === "size") {
      const longest = Math.max(this.painter.mask.width, this.painter.mask.height)
      chosen.size = Math.exp((input.value / 1000) * Math.log(longest / 2)) / longest
    } else if (input.type === "checkbox") chosen[name] = input.checked
    else chosen[name] = Number(input.value)
    this.painter.adjust()
  }

  point(event) {
    const { painter } = this
    if (event.type === "pointerdown") {
      painter.stage.focus({ preventScroll: true })
      painter.showKeys(false)
    }
    if (event.type === "pointerdown" || this.hasMoved(event)) painter.cursor.leave()
    if (event.pointerType === "pen" && !painter.hasPen) {
      painter.hasPen = true
      painter.choose(chosen.tool)
    }
    if (painter.viewport.touch(event)) {
      painter.drop()
      if (event.type !== "pointerup") event.stopPropagation()
      return
    }
    this.pan(event)
    painter.moveRing(event)
  }

  // Chromium also sends a move when the page itself has moved below a resting mouse.
  hasMoved({ screenX, screenY }) {
    const [x, y] = this.movedTo ?? []
    this.movedTo = [screenX, screenY]
    return screenX !== x || screenY !== y
  }

  pan(event) {
    const { stage, viewport } = this.painter
    const begins = event.button === 1 || (event.button === 0 && (this.isSpaceHeld || chosen.tool === "hand"))
    if (event.type === "pointerdown" && begins) {
      this.panned = { id: event.pointerId, ...viewport.placeOf(event) }
      stage.setPointerCapture(event.pointerId)
    }
    if (this.panned?.id !== event.pointerId) return
    event.preventDefault()
    event.stopPropagation()
    if (event.type === "pointermove") {
      const now = viewport.placeOf(event)
      viewport.panBy(now.x - this.panned.x, now.y - this.panned.y)
      Object.assign(this.panned, now)
    } else if (event.type !== "pointerdown") this.panned = null
  }

  click(event) {
    const { mask, viewport } = this.painter
    if (chosen.tool !== "similar" || !mask || this.isSpaceHeld) return
    const { x, y } = viewport.placeOf(event)
    this.isAltHeld = event.altKey
    this.painter.pick(viewport.sceneOf(x, y))
  }

  // Streamlit sends a click together with a mask that is about to leave as one change of our fragment, and so Generate,
  // which stands outside of it, would never hear of the click. It may follow a moment later.
  clickElsewhere(event) {
    const { element, exchange } = this.painter
    if (!exchange.isLeaving || !event.isTrusted || event.composedPath().includes(element)) return
    event.preventDefault()
    event.stopImmediatePropagation()
    const [target] = event.composedPath()
    const { clientX, clientY, detail } = event
    const again = { bubbles: true, cancelable: true, composed: true, view: window, clientX, clientY, detail }
    setTimeout(() => target.dispatchEvent(new MouseEvent("click", again)))
  }

  wheel(event) {
    const { mask, stage, viewport } = this.painter
    if (!mask) return
    const isFocused = stage.getRootNode().activeElement === stage
    const comesCloser = event.deltaY < 0
    // The page scrolls where there is nothing to zoom, and as long as nobody paints.
    if (!event.ctrlKey && !event.metaKey && (!isFocused || (!comesCloser && viewport.isFitted))) return
    event.preventDefault()
    const { x, y } = viewport.placeOf(event)
    viewport.zoomBy(Math.exp(-Math.max(-120, Math.min(120, event.deltaY)) / 400), x, y)
  }

  press(event) {
    if (!this.painter.mask || event.isComposing) return
    const act = meaningOf(event, this.painter, this)
    if (!act) return
    event.preventDefault()
    // Streamlit has keys of its own: r runs the page anew.
    event.stopPropagation()
    act()
  }

  release(event) {
    const { mask, cursor } = this.painter
    if (event.key === " ") this.isSpaceHeld = false
    if (event.key === "Alt") this.isAltHeld = false
    if (event.key === " " || event.key === "Enter") cursor.lift()
    if (mask) this.painter.adjust()
  }
}
