// Text reaches the page by textContent and attributes only: a prompt may hold any HTML.

export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.workList ?? (parentElement.workList = makeList(parentElement))
  list.trigger = setTriggerValue
  list.show(data)
}

const ICONS = {
  grip: "M9 6h.01M15 6h.01M9 12h.01M15 12h.01M9 18h.01M15 18h.01",
  next: "M5 4h14M12 20V9M7 13l5-5 5 5",
  cancel: "M6 6l12 12M18 6L6 18",
  resume: "M8 5l11 7-11 7z",
}
const KEYS = { ArrowUp: "earlier", ArrowDown: "later", Home: "next", End: "last" }

function makeList(root) {
  const list = root.querySelector(".rows"),
    told = root.querySelector(".told")
  const self = { show }
  let rows = new Map()
  let dragged = null // what is being dragged: {element, pointer, from, at}
  let waiting = null // what came in meanwhile

  function show(data) {
    if (dragged) {
      waiting = data
      return
    }
    list.setAttribute("aria-label", data.label)
    const focused = root.activeElement?.closest?.(".row")?.dataset.id
    const what = root.activeElement?.dataset?.do
    const next = new Map()
    for (const row of data.rows) {
      const made = JSON.stringify(row)
      let element = rows.get(row.id)
      if (!element) element = document.createElement("li")
      if (element.made !== made) {
        fill(element, row)
        element.made = made
      }
      next.set(row.id, element)
    }
    for (const [id, element] of rows) if (!next.has(id)) element.remove()
    rows = next
    let place = list.firstElementChild
    for (const element of rows.values()) {
      element.classList.remove("pending")
      if (element === place) place = place.nextElementSibling
      else list.insertBefore(element, place)
    }
    // What is moved in the page, or filled anew, loses the keyboard.
    const kept = focused && rows.get(focused)?.querySelector(`[data-do="${what}"]`)
    if (kept && root.activeElement !== kept) kept.focus()
  }

  function fill(element, row) {
    element.className = "row"
    element.dataset.id = row.id
    element.replaceChildren()
    element.append(row.is_movable ? handleOf(row) : span("still", row.number ?? ""))
    const words = document.createElement("div")
    words.className = "words"
    words.append(span("title", row.title))
    const detail = span("detail", row.detail)
    if (row.when) {
      const also = span("also-when", (row.detail && " · ") + row.when)
      also.setAttribute("aria-hidden", "true")
      detail.append(also)
    }
    words.append(detail)
    if (row.note) words.title = row.note
    element.append(pictureOf(element, row), words)
    if (row.when) element.append(span("when", row.when))
    for (const [name, label, isOff] of row.buttons) element.append(buttonOf(row, name, label, isOff))
    if (row.fraction !== null) element.append(barOf(row.fraction))
  }

  function pictureOf(element, row) {
    // The one that is there is kept: a row says each second anew when it begins.
    if (element.picture && element.picture.getAttribute("src") === row.picture) return element.picture
    const picture = document.createElement(row.picture ? "img" : "span")
    element.picture = picture
    if (row.picture) {
      picture.alt = row.alt
      picture.draggable = false
      picture.src = row.picture
    } else picture.className = "none"
    return picture
  }

  function span(kind, text) {
    const made = document.createElement("span")
    made.className = kind
    made.textContent = text
    return made
  }

  function icon(name) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg")
    svg.setAttribute("viewBox", "0 0 24 24")
    svg.setAttribute("aria-hidden", "true")
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path")
    path.setAttribute("d", ICONS[name])
    svg.append(path)
    return svg
  }

  function barOf(fraction) {
    const bar = document.createElement("span"),
      done = document.createElement("i")
    bar.className = "bar"
    done.style.width = 100 * fraction + "%"
    bar.append(done)
    return bar
  }

  function buttonOf(row, name, label, isOff) {
    const button = document.createElement("button")
    button.type = "button"
    button.className = "do"
    button.dataset.do = name
    button.disabled = isOff
    button.title = label
    button.setAttribute("aria-label", `${label}: ${row.spoken}`)
    button.append(icon(name))
    button.addEventListener("click", () => act(name, row.id))
    return button
  }

  function handleOf(row) {
    const handle = document.createElement("button")
    handle.type = "button"
    handle.className = "handle"
    handle.dataset.do = "grip"
    handle.title = "Drag, or use the arrow keys. Home: do next. End: do last. Delete: cancel."
    handle.setAttribute("aria-label", `Move ${row.spoken}`)
    handle.setAttribute("aria-keyshortcuts", "ArrowUp ArrowDown Home End Delete")
    handle.append(icon("grip"))
    handle.addEventListener("keydown", (event) => {
      if (event.key in KEYS) act(KEYS[event.key], row.id)
      else if (event.key === "Delete") act("cancel", row.id)
      else return
      event.preventDefault()
      event.stopPropagation()
    })
    handle.addEventListener("pointerdown", (event) => begin(event, handle, row.id))
    return handle
  }

  function act(name, id, after) {
    rows.get(id)?.classList.add("pending")
    told.textContent = name === "cancel" ? "Cancelling" : "Moving"
    self.trigger("act", { do: name, id, after: after ?? null })
  }

  function begin(event, handle, id) {
    if (event.button > 0) return
    const element = rows.get(id)
    dragged = { element, id, y: event.clientY, target: null }
    handle.setPointerCapture(event.pointerId)
    element.classList.add("dragged")
    const move = (e) => drag(e.clientY)
    const end = (e) => {
      handle.removeEventListener("pointermove", move)
      for (const kind of ["pointerup", "pointercancel"]) handle.removeEventListener(kind, end)
      drop(e.type === "pointerup")
    }
    handle.addEventListener("pointermove", move)
    for (const kind of ["pointerup", "pointercancel"]) handle.addEventListener(kind, end)
  }

  function movable() {
    return [...rows.values()].filter((element) => element.querySelector(".handle"))
  }

  function mark(target) {
    for (const element of rows.values()) element.classList.remove("line", "below")
    dragged.target = target
    if (!target) return
    target.element.classList.add("line")
    target.element.classList.toggle("below", target.isBelow)
  }

  function drag(y) {
    dragged.element.style.transform = `translateY(${y - dragged.y}px)`
    const others = movable().filter((element) => element !== dragged.element)
    const above = others.filter((element) => middle(element) < y)
    if (above.length) mark({ element: above.at(-1), isBelow: true })
    else mark(others.length ? { element: others[0], isBelow: false } : null)
  }

  function middle(element) {
    const box = element.getBoundingClientRect()
    return box.top + box.height / 2
  }

  function drop(isMeant) {
    const { element, id, target } = dragged
    element.style.transform = ""
    element.classList.remove("dragged")
    mark(null)
    dragged = null
    const after = target?.isBelow ? target.element.dataset.id : null
    const before = movable()
    const at = before.indexOf(element)
    const isSame = after === (at > 0 ? before[at - 1].dataset.id : null)
    if (isMeant && target && !isSame) act("place", id, after)
    if (waiting) {
      const data = waiting
      waiting = null
      show(data)
    }
  }
  return self
}
