// Text reaches the page by textContent and attributes only: a prompt may hold any HTML.

export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.querySelector(".tree")
  const made = JSON.stringify(data)
  if (list.made === made) return
  list.made = made
  list.replaceChildren(...data.twigs.map(twigOf))
  const current = list.querySelector("[aria-current]")
  if (current) list.scrollTop = current.offsetTop - list.clientHeight / 2

  function twigOf(twig) {
    const item = document.createElement("li")
    // Deeper ones stand below each other, or a long session would leave the page.
    const level = Math.min(twig.depth, 10)
    item.style.setProperty("--level", level)
    item.classList.toggle("below", twig.depth > 0)
    item.classList.toggle("step", twig.is_step)
    const button = document.createElement("button")
    button.type = "button"
    button.className = "twig"
    button.dataset.id = twig.id
    if (twig.is_current) button.setAttribute("aria-current", "true")
    else button.addEventListener("click", () => setTriggerValue("open", twig.id))
    button.append(pictureOf(twig), wordsOf(twig))
    item.append(button)
    if (twig.more) {
      const more = document.createElement("p")
      more.className = "more"
      more.textContent = twig.more
      item.append(more)
    }
    return item
  }

  function pictureOf(twig) {
    const picture = document.createElement(twig.picture ? "img" : "span")
    if (twig.picture) {
      picture.alt = ""
      picture.loading = "lazy"
      picture.src = twig.picture
    } else picture.className = "none"
    return picture
  }

  function wordsOf(twig) {
    const words = document.createElement("span")
    words.className = "words"
    for (const name of ["title", "detail"]) {
      const line = document.createElement("span")
      line.className = name
      line.textContent = twig[name]
      words.append(line)
    }
    return words
  }
}
