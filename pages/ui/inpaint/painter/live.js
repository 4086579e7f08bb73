// Hands the newest preview over to the painter, which stands in another part of the page.
export default function ({ data }) {
  const tell = (detail) => window.dispatchEvent(new CustomEvent("inpaint-preview", { detail }))
  tell(data.preview)
  return () => tell(null)
}
