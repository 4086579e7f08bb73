// The candidates: what was made from the open picture, seen in its place. The strip below leads through them, and holds
// what is done with the one that is seen.

const TWICE_MS = 800
const TOLD_MS = 400 // how long one is looked at before the page hears of it

const ARROWS = { ArrowLeft: -1, ArrowRight: 1 }
const KEYS = { f: "favourite", v: "vary", a: "again", m: "mask", d: "difference" }

const percent = (share) => `${100 * share}%`

// Lay an element over this part of what it stands in, given as shares: left, top, width, height.
export function place(element, [left, top, width, height]) {
  Object.assign(element.style, {
    left: percent(left),
    top: percent(top),
    width: percent(width),
    height: percent(height),
  })
}

export class Results {
  // shown: the candidate that is seen, null while the picture itself is. signal: ends it all.
  constructor(painter, signal) {
    this.painter = painter
    this.candidates = []
    this.shown = null
    const on = (target, type, act, more) => target.addEventListener(type, act, { signal, ...more })
    const strip = painter.find(".strip")
    on(strip, "click", (event) => this.click(event))
    const before = painter.find("[data-do=before]")
    on(before, "pointerdown", () => this.showBefore(true))
    for (const type of ["pointerup", "pointerleave", "pointercancel", "blur"])
      on(before, type, () => this.showBefore(false))
    on(before, "keydown", (event) => [" ", "Enter"].includes(event.key) && this.showBefore(true))
    on(before, "keyup", () => this.showBefore(false))
    on(document, "keydown", (event) => this.press(event), { capture: true })
    on(document, "keyup", (event) => event.key.toLowerCase() === "x" && this.showBefore(false))
    on(window, "blur", () => this.showBefore(false))
  }

  get position() {
    return this.candidates.findIndex(({ id }) => id === this.shown?.id)
  }

  begin(data) {
    this.candidates = []
    this.show(null)
    this.hear(data)
  }

  hear({ candidates }) {
    const known = new Set(this.candidates.map(({ id }) => id))
    const at = this.position
    this.candidates = candidates
    const [newest] = candidates
    const same = candidates.find(({ id }) => id === this.shown?.id)
    // Not under a hand that paints.
    if (newest && !known.has(newest.id) && !this.painter.isPainting) this.show(newest)
    else if (same) this.show(same)
    else this.show(at < 0 ? null : (candidates[Math.min(at, candidates.length - 1)] ?? null))
  }

  // candidate: null for the picture itself, as it is painted on.
  show(candidate) {
    const { painter } = this
    const result = painter.find(".result")
    this.shown = candidate
    painter.element.dataset.view = candidate ? "result" : "picture"
    result.hidden = !candidate
    if (candidate) {
      if (result.getAttribute("src") !== candidate.picture) result.src = candidate.picture
      result.alt = `After: “${candidate.prompt}”, ${candidate.title}`
      place(result, candidate.box)
      const [left, top, width, height] = candidate.box
      const cut = [top, 1 - left - width, 1 - top - height, left].map(percent).join(" ")
      painter.find(".scene").style.setProperty("--cut", `inset(${cut})`)
      this.tellSoon()
    }
    this.write()
    if (painter.mask) painter.tell()
  }

  write() {
    const strip = this.painter.find(".strip")
    const list = this.painter.find(".candidates")
    const hadFocus = list.contains(list.getRootNode().activeElement)
    const isNew = strip.hidden && this.candidates.length > 0
    strip.hidden = this.candidates.length === 0
    this.painter.element.toggleAttribute("data-strip", !strip.hidden)
    list.replaceChildren(...this.candidates.map((candidate, nth) => this.option(candidate, nth)))
    const chosen = list.querySelector("[aria-selected=true]")
    chosen?.scrollIntoView({ block: "nearest", inline: "nearest" })
    if (hadFocus) (chosen ?? list.firstElementChild)?.focus({ preventScroll: true })
    for (const button of strip.querySelectorAll("[data-do]")) {
      const name = button.dataset.do
      button.disabled = !this.shown || (name in this.shown && name !== "favourite" && !this.shown[name])
    }
    const favourite = strip.querySelector("[data-do=favourite]")
    favourite.setAttribute("aria-pressed", String(Boolean(this.shown?.favourite)))
    if (!this.shown) for (const name of ["mask", "difference"]) this.toggle(name, false)
    if (isNew) this.painter.fill()
  }

  option(candidate, nth) {
    const option = document.createElement("div")
    const isShown = candidate.id === this.shown?.id
    option.role = "option"
    option.tabIndex = isShown || (!this.shown && nth === 0) ? 0 : -1
    option.dataset.id = candidate.id
    option.ariaSelected = String(isShown)
    option.ariaLabel = `Candidate ${this.candidates.length - nth}: ${candidate.title}`
    option.title = candidate.title
    const image = document.createElement("img")
    image.src = candidate.picture
    image.alt = ""
    const words = document.createElement("span")
    // The number alone, where it is one: there is no room for more.
    words.textContent = candidate.title.replace(/^(Seed|Variation) /, "")
    option.append(image, words)
    if (candidate.favourite) option.classList.add("liked")
    return option
  }

  click(event) {
    const option = event.target.closest("[role=option]")
    const button = event.target.closest("[data-do]")
    if (option) this.show(this.candidates.find(({ id }) => id === option.dataset.id) ?? null)
    else if (button) this.do(button.dataset.do)
  }

  do(name) {
    if (name === "mask" || name === "difference") this.toggle(name)
    else if (name !== "before") this.send(name)
  }

  toggle(name, isOn) {
    const { element } = this.painter
    const has = element.toggleAttribute(`data-${name}`, isOn)
    this.painter.find(`[data-do=${name}]`).setAttribute("aria-pressed", String(has))
  }

  showBefore(isHeld) {
    this.painter.element.toggleAttribute("data-before", isHeld && this.shown !== null)
    if (isHeld) this.painter.say("Before")
  }

  step(by) {
    const at = Math.min(this.candidates.length - 1, Math.max(0, this.position + by))
    if (at === this.position) return
    this.show(this.candidates[at])
    this.painter.say(`${this.painter.find("[aria-selected=true]").ariaLabel}`)
  }

  // What is asked of the page. A second press of the same within a moment is the same one.
  send(name, id = this.shown?.id ?? "") {
    const asked = `${name} ${id}`
    const at = performance.now()
    if (asked === this.asked && at - this.askedAt < TWICE_MS) return
    Object.assign(this, { asked, askedAt: at })
    this.painter.exchange.send()
    this.painter.component.setTriggerValue("act", { name, id })
  }

  tellSoon() {
    clearTimeout(this.telling)
    if (this.shown.id === (this.painter.data?.chosen ?? this.candidates[0]?.id)) return
    this.telling = setTimeout(() => this.shown && this.send("choose"), TOLD_MS)
  }

  leave() {
    clearTimeout(this.telling)
  }

  // Wherever the keyboard is, but where it writes or chooses something else.
  press(event) {
    if (!this.candidates.length || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return
    const [target] = event.composedPath()
    const { stage } = this.painter
    const isInStrip = target.role === "option"
    const isHere = target === stage || isInStrip
    if (!isHere && target !== document.body && !target.closest?.(".st-key-generate")) return
    const act = this.meaningOf(event, isHere, isInStrip)
    if (!act) return
    event.preventDefault()
    event.stopImmediatePropagation()
    act()
  }

  meaningOf({ key, shiftKey, repeat }, isHere, isInStrip) {
    if (key in ARROWS && (this.shown || isInStrip)) return () => this.step(ARROWS[key])
    if (isInStrip && key === " ") return () => this.show(this.candidates[Math.max(0, this.position)])
    if (!this.shown) return null
    const name = KEYS[key.toLowerCase()]
    if (name) return () => repeat || this.painter.find(`[data-do=${name}]`).disabled || this.do(name)
    if (key.toLowerCase() === "x") return () => this.showBefore(true)
    if (key === "Escape") return () => this.show(null)
    if (!isHere) return null
    if (key === "Enter") return () => repeat || this.send(shiftKey ? "accept-masked" : "accept")
    if (key === "Delete" || key === "Backspace") return () => repeat || this.send("discard")
    return null
  }
}
