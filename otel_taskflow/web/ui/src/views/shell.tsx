/** What surrounds every page: title, state of the connection, theme, keys. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { count } from "../format";
import { address, connection, notice, seed, tasks, view } from "../state";
import { EVERYTHING } from "../url";
import { helpIsOpen, SHORTCUTS } from "../keys";
import { setTheme, theme, type Theme } from "../theme";
import { HealthBanner, HealthLink, HealthPage } from "./health";
import { ListPage } from "./list";
import { TaskPage } from "./task";

export function Shell() {
  const page = view.value;
  return (
    <>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <Header />
      <LostBanner />
      <HealthBanner isOwnPage={page.page === "health"} />
      <DroppedBanner />
      <main id="main" tabIndex={-1} class={page.page === "task" && page.tab === "logs" ? "tall" : ""}>
        {page.page === "list" ? <ListPage /> : page.page === "health" ? <HealthPage /> : <TaskPage key={page.id} view={page} />}
      </main>
      <Notice />
      <Help />
    </>
  );
}

function Header() {
  return (
    <header class="top">
      <a class="brand" href={address(EVERYTHING)}>
        <svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
          <rect class="one" x="1" y="3" width="8" height="4" rx="1.5" />
          <rect class="two" x="6" y="8.5" width="7" height="4" rx="1.5" />
          <rect class="three" x="11" y="14" width="8" height="4" rx="1.5" />
        </svg>
        <span>{seed.title}</span>
      </a>
      <HealthLink />
      <Connection />
      <ThemeSwitch />
      <button type="button" class="button quiet square" onClick={() => (helpIsOpen.value = true)} aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)">
        ?
      </button>
    </header>
  );
}

const STATES = { connecting: "Connecting", live: "Live", lost: "Reconnecting", ended: "Signed out" } as const;

function Connection() {
  const state = connection.value;
  return (
    <span class={`connection connection-${state}`} title={state === "live" ? "Changes appear by themselves." : "What is shown may be out of date."}>
      <span class="dot" aria-hidden="true" />
      {STATES[state]}
    </span>
  );
}

function LostBanner() {
  if (connection.value === "ended") {
    return (
      <div class="banner" role="status">
        <strong>Your session has ended.</strong> This page shows what was last known; reload it to sign in again.{" "}
        <button type="button" class="button" onClick={() => location.reload()}>
          Reload
        </button>
      </div>
    );
  }
  if (connection.value !== "lost") return null;
  return (
    <div class="banner" role="status">
      <strong>Connection lost.</strong> This page shows what was last known and connects again by itself; nothing will be missing.
    </div>
  );
}

function DroppedBanner() {
  const reasons = Object.entries(tasks.value.metrics?.dropped ?? {});
  if (reasons.length === 0) return null;
  const total = reasons.reduce((sum, [, number]) => sum + number, 0);
  return (
    <div class="banner" role="status">
      <strong>{total === 1 ? "1 event was lost." : `${count(total)} events were lost.`}</strong>{" "}
      {reasons.map(([reason, number]) => `${reason}: ${count(number)}`).join(", ")}. The reasons are explained under “Figures” in the HTTP API's reference.
    </div>
  );
}

const THEMES: readonly { value: Theme; label: string }[] = [
  { value: "system", label: "System" },
  { value: "light", label: "Light" },
  { value: "dark", label: "Dark" },
];

function ThemeSwitch() {
  return (
    <label class="theme">
      <span class="hidden">Theme</span>
      <select value={theme.value} onChange={(event) => setTheme(event.currentTarget.value as Theme)}>
        {THEMES.map((each) => (
          <option key={each.value} value={each.value}>
            {each.label}
          </option>
        ))}
      </select>
    </label>
  );
}

/** What just happened; read out, and gone after a while. */
function Notice() {
  const current = notice.value;
  useEffect(() => {
    if (!current || current.bad) return;
    const timer = setTimeout(() => (notice.value = null), 6000);
    return () => clearTimeout(timer);
  }, [current]);
  return (
    <div class="notices" aria-live="polite">
      {current ? (
        <div class={current.bad ? "notice bad" : "notice"}>
          {current.text}
          <button type="button" class="button quiet" onClick={() => (notice.value = null)}>
            Dismiss
          </button>
        </div>
      ) : null}
    </div>
  );
}

function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  const before = useSignal<Element | null>(null);
  const open = helpIsOpen.value;
  useEffect(() => {
    if (open && !dialog.current?.open) {
      before.value = document.activeElement;
      dialog.current?.showModal();
    } else if (!open && dialog.current?.open) {
      dialog.current.close();
      (before.value as HTMLElement | null)?.focus?.();
    }
  }, [open]);
  return (
    <dialog ref={dialog} onClose={() => (helpIsOpen.value = false)} aria-labelledby="help-title">
      <h2 id="help-title">Keyboard shortcuts</h2>
      <dl class="shortcuts">
        {SHORTCUTS.map(([keys, meaning]) => (
          <div key={meaning}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <div class="dialog-end">
        <span class="muted">otel_taskflow {seed.version}</span>
        <button type="button" class="button" onClick={() => (helpIsOpen.value = false)}>
          Close
        </button>
      </div>
    </dialog>
  );
}
