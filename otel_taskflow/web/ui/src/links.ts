/** Links are real links; those to this dashboard are followed without loading the page again. */

import { go, seed } from "./state";
import { parse } from "./url";

export function installLinks(): void {
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || link.target || link.hasAttribute("download") || !isOurs(link)) return;
    event.preventDefault();
    go(parse(seed.base, link.pathname, link.search));
  });
}

function isOurs(link: HTMLAnchorElement): boolean {
  const home = `${seed.base}/dashboard`;
  return link.origin === location.origin && link.hash === "" && (link.pathname === home || link.pathname === `${home}/health` || link.pathname.startsWith(`${home}/tasks/`));
}
