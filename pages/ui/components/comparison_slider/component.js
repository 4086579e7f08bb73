// Text reaches the page by textContent and attributes only: a title may hold any HTML.

export default function ({ data, parentElement }) {
  const slider = parentElement.inpaintSlider ?? (parentElement.inpaintSlider = makeSlider(parentElement))
  slider.show(data)
}

function makeSlider(root) {
  const part = (name) => root.querySelector(name)
  const frame = part(".slider"),
    handle = part(".handle"),
    flip = part(".flip")
  const images = { left: part("img.left"), right: part("img.right") }
  const names = { left: part(".of-left"), right: part(".of-right") }
  const titles = { left: "", right: "" }
  // Where it was put by hand it stays, until it has to show something else first.
  let at = null,
    first = null

  function show(data) {
    frame.style.aspectRatio = data.width + " / " + data.height
    // No taller than a screen leaves room for.
    frame.style.maxWidth = "calc(var(--tallest, 62vh) * " + data.width / data.height + ")"
    for (const [side, layer] of [
      ["left", data.layers[0]],
      ["right", data.layers[1]],
    ]) {
      titles[side] = layer.title
      names[side].textContent = layer.title
      images[side].alt = layer.alt
      if (images[side].getAttribute("src") !== layer.address) images[side].src = layer.address
    }
    handle.setAttribute("aria-label", "Divider: " + titles.left + " on its left, " + titles.right + " on its right")
    if (at === null || first !== data.at) at = first = data.at
    move(at)
  }

  function move(to) {
    at = Math.min(100, Math.max(0, to))
    frame.style.setProperty("--at", at + "%")
    names.left.classList.toggle("away", at < 20)
    names.right.classList.toggle("away", at > 80)
    const shown = Math.round(at)
    handle.setAttribute("aria-valuenow", String(shown))
    handle.setAttribute("aria-valuetext", shown + " % " + titles.left + ", " + (100 - shown) + " % " + titles.right)
    flip.textContent = "Show only: " + (at >= 100 ? titles.right : titles.left)
  }

  function follow(event) {
    const box = frame.getBoundingClientRect()
    move(((event.clientX - box.left) / box.width) * 100)
  }

  frame.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return
    frame.setPointerCapture(event.pointerId)
    follow(event)
    handle.focus({ preventScroll: true, focusVisible: false })
    // Or the browser drags the picture away as a file.
    if (event.pointerType === "mouse") event.preventDefault()
  })
  frame.addEventListener("pointermove", (event) => {
    if (frame.hasPointerCapture(event.pointerId)) follow(event)
  })

  handle.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 10 : 2
    const moves = {
      ArrowLeft: at - step,
      ArrowDown: at - step,
      ArrowRight: at + step,
      ArrowUp: at + step,
      PageDown: at - 10,
      PageUp: at + 10,
      Home: 0,
      End: 100,
    }
    if (event.key in moves) move(moves[event.key])
    else if (event.key === " " || event.key === "Enter") move(at >= 100 ? 0 : 100)
    else return
    event.preventDefault()
    event.stopPropagation()
  })
  flip.addEventListener("click", () => move(at >= 100 ? 0 : 100))
  return { show }
}
