// Text reaches the page by textContent and attributes only: a prompt may hold any HTML.

export default function (component) {
  const { data, parentElement, setStateValue, setTriggerValue } = component
  const grid = parentElement.inpaintGrid ?? (parentElement.inpaintGrid = makeGrid(parentElement))
  grid.setState = setStateValue
  grid.trigger = setTriggerValue
  grid.show(data)
}

const HINT = matchMedia("(hover: none)").matches
  ? "Tap a picture to open it; tap its circle to select it."
  : "Click opens; Ctrl or Shift with a click selects several. Keys: arrows, Enter, Space."

function makeGrid(root) {
  const list = root.querySelector(".grid")
  const strip = root.querySelector(".strip")
  const count = root.querySelector(".count")
  const clear = root.querySelector(".clear")
  const self = { show }
  let tiles = new Map()
  let selected = new Set()
  let current = null // the id that Tab reaches
  let anchor = null // where a Shift selection starts
  let selectable = true
  let watching = null // the timer that waits for a dialog to close

  function show(data) {
    const before = [...tiles.keys()]
    const hadFocus = root.activeElement?.dataset?.id
    selectable = data.selectable
    list.setAttribute("aria-multiselectable", String(selectable))
    list.classList.toggle("named", Boolean(data.label))
    if (data.label) list.setAttribute("aria-label", data.label)
    const wanted = new Map(data.tiles.map((tile) => [tile.id, tile]))
    for (const [id, element] of tiles)
      if (!wanted.has(id)) {
        element.remove()
        tiles.delete(id)
      }
    const next = new Map()
    let place = list.firstElementChild
    for (const [id, tile] of wanted) {
      const made = JSON.stringify(tile)
      let element = tiles.get(id)
      if (!element) element = document.createElement("li")
      if (element.made !== made) {
        fill(element, tile)
        element.made = made
      }
      if (element === place) place = place.nextElementSibling
      else list.insertBefore(element, place)
      next.set(id, element)
    }
    tiles = next
    const kept = [...selected].filter((id) => tiles.has(id))
    if (kept.length !== selected.size) {
      selected = new Set(kept)
      tell()
    }
    if (!tiles.has(current)) current = tiles.keys().next().value ?? null
    if (!tiles.has(anchor)) anchor = null
    paint()
    const turned = before.length > 0 && !before.some((id) => tiles.has(id))
    if (turned && list.getBoundingClientRect().top < 0) list.scrollIntoView({ block: "start" })
    if (hadFocus && !tiles.has(hadFocus)) focus(current)
  }

  function open(id) {
    current = id
    paint()
    self.trigger("open", id)
    clearInterval(watching)
    // A dialog that closes leaves the keyboard nowhere: give it back to the tile, once the dialog is gone. For a
    // moment more: where the page is used at once, Streamlit shows the closed one again for a twentieth of a second.
    let seen = false
    let goneFor = 0
    watching = setInterval(() => {
      const dialog = document.querySelector("[role=dialog]")
      seen = seen || dialog !== null
      goneFor = seen && dialog === null ? goneFor + 1 : 0
      if (goneFor && document.activeElement === document.body) focus(current)
      if (goneFor === 10 || !root.host.isConnected) clearInterval(watching)
    }, 200)
  }

  function fill(element, tile) {
    element.className = tile.sign ? "tile signed" : "tile"
    element.dataset.id = tile.id
    element.setAttribute("role", "option")
    // In the order in which they stand there, for who speaks to the computer reads a name out to reach it.
    const said = [tile.title, tile.picture ? null : tile.problem, tile.badge, tile.said].filter(Boolean)
    element.setAttribute("aria-label", said.join(". "))
    element.replaceChildren()
    if (tile.picture) {
      const image = document.createElement("img")
      image.loading = "lazy"
      image.decoding = "async"
      image.draggable = false
      image.alt = tile.title
      if (tile.view) showPart(image, tile.view)
      const frame = document.createElement("div")
      frame.className = "frame"
      frame.append(image)
      image.onerror = () => {
        frame.remove()
        element.append(words("plain", tile.title, "This thumbnail cannot be shown. Reload the page."))
      }
      image.src = tile.picture
      element.append(frame, words("words", tile.title))
    } else {
      element.append(words("plain", tile.title, tile.problem))
    }
    if (tile.badge) {
      const badge = document.createElement("span")
      badge.className = "badge " + tile.tone
      badge.textContent = tile.badge
      element.append(badge)
    }
    if (tile.sign) {
      const sign = document.createElement("span")
      sign.className = "sign " + tile.said.split(" ").pop().toLowerCase()
      sign.textContent = tile.sign
      sign.title = tile.said
      sign.setAttribute("aria-hidden", "true")
      element.append(sign)
    }
    if (selectable) {
      const pick = document.createElement("span")
      pick.className = "pick"
      element.append(pick)
    }
  }

  function showPart(image, [left, top, width, height]) {
    image.className = "part"
    image.style.width = 100 / width + "%"
    image.style.height = 100 / height + "%"
    image.style.left = (-100 * left) / width + "%"
    image.style.top = (-100 * top) / height + "%"
  }

  function words(kind, title, problem) {
    const paragraph = document.createElement("p")
    paragraph.className = kind
    paragraph.setAttribute("aria-hidden", "true")
    for (const [name, text] of [
      ["title", title],
      ["problem", problem],
    ]) {
      if (!text) continue
      const span = document.createElement("span")
      span.className = name
      span.textContent = text
      paragraph.append(span, " ")
    }
    return paragraph
  }

  function paint() {
    for (const [id, element] of tiles) {
      element.tabIndex = id === current ? 0 : -1
      element.setAttribute("aria-selected", String(selected.has(id)))
    }
    list.classList.toggle("choosing", selected.size > 0)
    // Always there, so that nothing moves under the mouse with the first selection.
    strip.hidden = !selectable || tiles.size === 0
    clear.hidden = selected.size === 0
    count.classList.toggle("hint", selected.size === 0)
    count.textContent = selected.size ? selected.size + " selected" : HINT
  }

  function tell() {
    self.setState("selected", [...selected])
  }

  function focus(id) {
    if (!tiles.has(id)) return
    current = id
    paint()
    tiles.get(id).focus()
  }

  function choose(ids, add) {
    if (!selectable) return
    selected = new Set(add ? [...selected, ...ids] : ids)
    paint()
    tell()
  }

  function toggle(id) {
    if (!selectable) return
    selected.has(id) ? selected.delete(id) : selected.add(id)
    anchor = id
    paint()
    tell()
  }

  function extendTo(id) {
    const ids = [...tiles.keys()]
    const from = Math.max(0, ids.indexOf(anchor ?? current))
    const to = ids.indexOf(id)
    anchor = anchor ?? ids[from]
    choose(ids.slice(Math.min(from, to), Math.max(from, to) + 1), false)
  }

  list.addEventListener("click", (event) => {
    const tile = event.target.closest(".tile")
    if (!tile) return
    const id = tile.dataset.id
    if (selectable && event.shiftKey) {
      extendTo(id)
      current = id
      paint()
      return
    }
    if (selectable && (event.ctrlKey || event.metaKey || event.target.closest(".pick"))) {
      current = id
      toggle(id)
    } else open(id)
  })

  list.addEventListener("keydown", (event) => {
    const ids = [...tiles.keys()]
    const at = ids.indexOf(current)
    if (at < 0) return
    const columns = getComputedStyle(list).gridTemplateColumns.split(" ").length
    const moves = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: columns,
      ArrowUp: -columns,
      Home: -at,
      End: ids.length - 1 - at,
    }
    if (event.key in moves) {
      const to = at + moves[event.key]
      if (to < 0 || to >= ids.length) {
        event.preventDefault()
        return
      }
      if (event.shiftKey && selectable) extendTo(ids[to])
      focus(ids[to])
    } else if (event.key === "Enter") open(current)
    else if (event.key === " ") toggle(current)
    else if (event.key === "Escape" && selected.size) choose([], false)
    else if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey)) choose(ids, false)
    else return
    event.preventDefault()
    event.stopPropagation()
  })

  clear.addEventListener("click", () => {
    choose([], false)
    focus(current)
  })
  return self
}
