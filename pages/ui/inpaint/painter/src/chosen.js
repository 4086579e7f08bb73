// What the artist has chosen, once for all pictures of this tab. size: share of the longer side. amount: how much may
// change where it paints, in percent.
export const chosen = {
  tool: "brush",
  size: 0.05,
  amount: 100,
  opacity: 55,
  tolerance: 24,
  connected: true,
  subtract: false,
  pressure: true,
}
