// Text reaches the page by textContent and attributes only: a prompt may hold any HTML.

export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.querySelector(".tree")
  const made = JSON.stringify(data)
  if (list.made === made) return
  list.made = made
  list.replaceChildren(...data.rows.map(rowOf))
  const current = list.querySelector("[aria-current]")
  if (current) list.scrollTop = current.offsetTop - list.clientHeight / 2

  function rowOf(row) {
    const item = document.createElement("li")
    // Deeper ones stand below each other, or a long session would leave the page.
    const level = Math.min(row.depth, 10)
    item.style.setProperty("--level", level)
    item.classList.toggle("below", row.depth > 0)
    item.classList.toggle("step", row.is_step)
    const button = document.createElement("button")
    button.type = "button"
    button.className = "tree-row"
    button.dataset.id = row.id
    if (row.is_current) button.setAttribute("aria-current", "true")
    else button.addEventListener("click", () => setTriggerValue("open", row.id))
    button.append(pictureOf(row), wordsOf(row))
    item.append(button)
    if (row.more) {
      const more = document.createElement("p")
      more.className = "more"
      more.textContent = row.more
      item.append(more)
    }
    return item
  }

  function pictureOf(row) {
    const picture = document.createElement(row.picture ? "img" : "span")
    if (row.picture) {
      picture.alt = ""
      picture.loading = "lazy"
      picture.src = row.picture
    } else picture.className = "none"
    return picture
  }

  function wordsOf(row) {
    const words = document.createElement("span")
    words.className = "words"
    for (const name of ["title", "detail"]) {
      const line = document.createElement("span")
      line.className = name
      line.textContent = row[name]
      words.append(line)
    }
    return words
  }
}
