/** The keyboard: everything that the mouse can do on a list, and the way between tasks. */

import { signal } from "@preact/signals";

import { go, lastList, listing, view } from "./state";
import { TABS, taskView } from "./url";

export const helpIsOpen = signal(false);

export const SHORTCUTS: readonly (readonly [readonly string[], string])[] = [
  [["j", "k"], "Next, previous task"],
  [["Enter"], "Open the task"],
  [["1", "2", "3", "4"], "Details, Attempts, Logs, Error"],
  [["↓", "↑"], "Next, previous line of the log that has the focus"],
  [["Esc"], "Close what is open, back to the list"],
  [["/"], "Filter by name"],
  [["?"], "This list"],
];

export function installKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || helpIsOpen.value) return;
    if (event.key === "Escape") return escape(event);
    if (isTyping(event.target)) return;
    if (act(event.key)) event.preventDefault();
  });
}

function act(key: string): boolean {
  switch (key) {
    case "j":
      return step(1);
    case "k":
      return step(-1);
    case "/":
      return focus("#name-filter");
    case "?":
      helpIsOpen.value = true;
      return true;
    default:
      return openTab(Number(key));
  }
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName));

function escape(event: KeyboardEvent): void {
  const open = view.value;
  if (isTyping(event.target)) (event.target as HTMLElement).blur();
  else if (open.page === "task" && open.line !== null) go({ ...open, line: null }, true);
  else if (open.page !== "list") go(lastList.value);
}

function step(by: 1 | -1): boolean {
  const open = view.value;
  if (open.page !== "task") return focusRow(by);
  const rows = listing.value.tasks;
  const here = rows.findIndex((task) => task.task_id === open.id);
  const next = here < 0 ? undefined : rows[here + by];
  if (next) go(taskView(next.task_id, { tab: open.tab }), true);
  return next !== undefined;
}

function focusRow(by: 1 | -1): boolean {
  const links = [...document.querySelectorAll<HTMLElement>(".row-link")];
  const here = links.findIndex((link) => link === document.activeElement);
  const next = links[here < 0 ? 0 : Math.min(links.length - 1, Math.max(0, here + by))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
  return next !== undefined;
}

function focus(selector: string): boolean {
  const element = document.querySelector<HTMLElement>(selector);
  element?.focus();
  return element !== null;
}

function openTab(number: number): boolean {
  const open = view.value;
  const tab = TABS[number - 1];
  if (open.page !== "task" || tab === undefined) return false;
  go({ ...open, tab, line: null });
  return true;
}
