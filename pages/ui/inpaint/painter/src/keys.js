// What each key does in the painter.

import { chosen } from "./chosen.js"
import { TOOLS } from "./view.js"

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

// What is to be done, or nothing where the key is not the painter's.
export function meaningOf(event, painter, hands) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
  const isOnStage = event.target === painter.stage
  if (event.ctrlKey || event.metaKey) {
    if (key === "z") return () => painter.act(event.shiftKey ? "redo" : "undo")
    if (key === "y") return () => painter.act("redo")
    return isOnStage && key in ARROWS ? () => pan(painter, ARROWS[key], event.shiftKey) : null
  }
  const tool = Object.keys(TOOLS).find((name) => TOOLS[name][1].toLowerCase() === key)
  if (tool) return () => painter.choose(tool)
  const anywhere = {
    "[": () => painter.resizeBrush(1 / 1.2),
    "]": () => painter.resizeBrush(1.2),
    "+": () => painter.act("plus"),
    "=": () => painter.act("plus"),
    "-": () => painter.act("minus"),
    0: () => painter.act("fit"),
    "?": () => painter.act("keys"),
  }
  if (key in anywhere) return anywhere[key]
  if (key === "Escape" && !painter.find(".keys").hidden) return () => painter.showKeys(false)
  return isOnStage ? meaningOnStage(key, event, painter, hands) : null
}

function meaningOnStage(key, { shiftKey, repeat }, painter, hands) {
  const { cursor } = painter
  // The keys lead the brush.
  const lead = (act) => {
    act()
    painter.moveRing()
  }
  if (key in ARROWS) {
    return chosen.tool === "hand"
      ? () => pan(painter, ARROWS[key], shiftKey)
      : () => lead(() => cursor.move(...ARROWS[key], shiftKey))
  }
  const polygon = painter.corners.length > 0 && painter.canvas.freeDrawingBrush
  const press = () => repeat || lead(() => cursor.press())
  const hold = () => {
    hands.isSpaceHeld = true
    painter.moveRing()
  }
  return {
    " ": cursor.isShown || !painter.pointer ? press : hold,
    Enter: polygon?.canClose ? () => polygon.close() : press,
    Escape: polygon ? () => polygon.forget() : cursor.isDown ? () => painter.drop() : null,
    Backspace: () => (polygon ? polygon.takeBack() : painter.act("clear")),
    Delete: () => painter.act("clear"),
    Alt: () => {
      hands.isAltHeld = true
      painter.adjust()
    },
  }[key]
}

function pan({ viewport }, [dx, dy], isFar) {
  const step = isFar ? 200 : 50
  viewport.panBy(-dx * step, -dy * step)
}
