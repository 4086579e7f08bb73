// Of tables that can be sorted: the name of a column sorts by it, and once more the other way round.
{
  const sort = (name) => {
    const table = name.closest("table")
    const way = name.ariaSort === "ascending" ? "descending" : "ascending"
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort")
    name.ariaSort = way
    const value = (row) => row.cells[name.cellIndex].dataset.value ?? row.cells[name.cellIndex].textContent
    const compare = new Intl.Collator(undefined, { numeric: true }).compare
    const sign = way === "ascending" ? 1 : -1
    const isNumber = (text) => text !== "" && !isNaN(text)
    const order = (a, b) => (isNumber(a) && isNumber(b) ? a - b : compare(a, b))
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort((a, b) => sign * order(value(a), value(b))))
  }
  // Once for the window: every table of every page brings this along.
  if (!window.studioSortsTables) {
    window.studioSortsTables = true
    document.addEventListener("click", ({ target }) => {
      const button = target.closest?.(".studio-table th button")
      if (button) sort(button.closest("th"))
    })
  }
}
