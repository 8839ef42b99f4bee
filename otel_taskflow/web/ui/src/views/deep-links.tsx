/** Links that leave the dashboard. */

import type { Ready } from "../deep-links";
import { visible } from "../format";

/** Each in a tab of its own; what is opened learns nothing of this page. */
export function DeepLinks({ links }: { links: readonly Ready[] }) {
  if (links.length === 0) return null;
  return (
    <span class="deep-links">
      {links.map(({ name, url }) => (
        <a key={name} class="deep-link" href={url} target="_blank" rel="noopener noreferrer">
          {visible(name)}
          <span aria-hidden="true"> ↗</span>
          <span class="hidden"> (opens in a new tab)</span>
        </a>
      ))}
    </span>
  );
}
