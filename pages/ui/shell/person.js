// Kept for a year. Where cookies are blocked, each tab is a person of its own.
export default function ({ data, setStateValue }) {
  const named = () =>
    document.cookie
      .split("; ")
      .find((one) => one.startsWith(data.name + "="))
      ?.split("=")[1]
  if (!named()) document.cookie = `${data.name}=${data.value}; path=/; max-age=31536000; samesite=lax`
  const found = named()
  if (found && found !== data.value) setStateValue("value", found)
}
