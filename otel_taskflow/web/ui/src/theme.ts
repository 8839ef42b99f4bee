/** Light or dark: the system's choice unless somebody made one here. */

import { signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const KEY = "otel_taskflow.theme";

export const theme = signal<Theme>("system");

export function setTheme(next: Theme): void {
  theme.value = next;
  if (next === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // A browser that keeps nothing forgets this too.
  }
}

export function restoreTheme(): void {
  try {
    const kept = localStorage.getItem(KEY);
    if (kept === "light" || kept === "dark") setTheme(kept);
  } catch {
    // As above.
  }
}
