import css from "@eslint/css"
import js from "@eslint/js"
import globals from "globals"

export default [
  { ignores: ["**/painter/painter.js"] },
  {
    files: ["**/*.js", "**/*.mjs"],
    ...js.configs.recommended,
    languageOptions: { globals: globals.browser },
    rules: { ...js.configs.recommended.rules, "no-var": "error", "prefer-const": "error" },
  },
  {
    files: ["**/*.css"],
    language: "css/css",
    ...css.configs.recommended,
    rules: {
      ...css.configs.recommended.rules,
      // The colours and fonts are Streamlit's.
      "css/no-invalid-properties": ["error", { allowUnknownVariables: true }],
      "css/use-baseline": ["error", { allowProperties: ["accent-color", "user-select"] }],
    },
  },
]
