// A line without height that tells how wide it is: Streamlit does not know the size of the window.
export default function ({ parentElement, setStateValue }) {
  let told = 0,
    waiting
  const tell = () => {
    const width = Math.floor(parentElement.clientWidth ?? parentElement.host?.clientWidth ?? 0)
    // A scroll bar that comes or goes is no reason to make another canvas.
    if (width < 100 || Math.abs(width - told) < 24) return
    told = width
    setStateValue("width", width)
  }
  const observer = new ResizeObserver(() => {
    clearTimeout(waiting)
    waiting = setTimeout(tell, 250)
  })
  observer.observe(parentElement.host ?? parentElement)
  return () => {
    clearTimeout(waiting)
    observer.disconnect()
  }
}
