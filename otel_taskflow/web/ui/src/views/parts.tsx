/** Small pieces that every page uses. */

import { useSignal } from "@preact/signals";
import type { ComponentChildren, RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";

import type { Problem } from "../api";
import { ago, moment, NOTHING, utc, visible } from "../format";
import type { AttemptStatus, Shown } from "../model";
import { shownAttempt } from "../model";
import { now } from "../state";
import { outcome, WORDS } from "../words";

/** On a narrow screen a bar of links scrolls sideways: what is chosen must be in sight. */
export function useCurrentInSight(bar: RefObject<HTMLElement | null>, current: unknown): void {
  useLayoutEffect(() => {
    const link = bar.current?.querySelector<HTMLElement>("[aria-current]");
    if (!bar.current || !link) return;
    const left = link.offsetLeft - bar.current.offsetLeft;
    bar.current.scrollLeft = left - (bar.current.clientWidth - link.offsetWidth) / 2;
  }, [current]);
}

/** A shape for each state, so that colour is never alone. */
export function StatusMark({ status }: { status: Shown }) {
  return (
    <svg class={`mark mark-${status}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <StatusShape status={status} />
    </svg>
  );
}

function StatusShape({ status }: { status: Shown }) {
  switch (status) {
    case "pending":
      return <circle class="line dotted" cx="8" cy="8" r="5.5" />;
    case "waiting":
      return (
        <>
          <circle class="line" cx="8" cy="8" r="5.5" />
          <path class="line" d="M8 5v3.2l2 1.3" />
        </>
      );
    case "running":
      return (
        <>
          <circle class="line faint" cx="8" cy="8" r="5.5" />
          <path class="line turning" d="M8 2.5a5.5 5.5 0 0 1 5.5 5.5" />
        </>
      );
    case "success":
      return (
        <>
          <circle class="fill" cx="8" cy="8" r="6.5" />
          <path class="cut" d="m5 8.2 2.1 2.1L11 6.2" />
        </>
      );
    case "failed":
      return (
        <>
          <path class="fill" d="M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3l-3.8-3.8V5.3z" />
          <path class="cut" d="m5.8 5.8 4.4 4.4m0-4.4-4.4 4.4" />
        </>
      );
    case "interrupted":
      return (
        <>
          <path class="fill" d="M8 1.3 15.2 14H.8z" />
          <path class="cut" d="M8 6v3.6m0 1.9v.3" />
        </>
      );
    case "cancelled":
      return (
        <>
          <circle class="line" cx="8" cy="8" r="5.7" />
          <path class="line" d="m4.2 11.8 7.6-7.6" />
        </>
      );
  }
}

export function Status({ status }: { status: Shown }) {
  return (
    <span class={`status status-${status}`}>
      <StatusMark status={status} />
      {WORDS[status]}
    </span>
  );
}

export function Outcome({ status }: { status: AttemptStatus }) {
  const picture = shownAttempt(status);
  return (
    <span class={`status status-${picture}`}>
      <StatusMark status={picture} />
      {outcome(status)}
    </span>
  );
}

/** How long ago; the moment itself in the title. */
export function Ago({ iso }: { iso: string }) {
  return (
    <time dateTime={iso} title={`${moment(iso, now.value)} here\n${utc(iso)}`}>
      {ago(iso, now.value)}
    </time>
  );
}

/** Local time and how long ago that is. */
export function Moment({ iso }: { iso: string | null }) {
  if (iso === null) return <span class="muted">{NOTHING}</span>;
  const age = ago(iso, now.value);
  const time = moment(iso, now.value);
  return (
    <time dateTime={iso} title={utc(iso)}>
      {time}
      {age.endsWith("ago") || age === "now" ? <span class="muted"> · {age}</span> : null}
    </time>
  );
}

export function Tag({ name, value, href }: { name: string; value: string; href: string }) {
  return (
    <a class="chip" href={href} title={visible(`Only tasks with ${name}: ${value}`)}>
      <span class="chip-name">{visible(name)}</span>
      <span class="chip-value">{visible(value)}</span>
    </a>
  );
}

export function Copy({ text, what, label = "Copy" }: { text: string; what: string; label?: string }) {
  const done = useSignal(false);
  // Browsers keep the clipboard from pages that came over plain HTTP.
  if (!navigator.clipboard) return null;
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    done.value = true;
    setTimeout(() => (done.value = false), 1500);
  };
  return (
    <button type="button" class="button quiet copy" onClick={() => void copy()} title={`Copy ${what}`} aria-label={`Copy ${what}`}>
      {done.value ? "Copied" : label}
    </button>
  );
}

/** What does not work, why, and what to do. */
export function ProblemBox({ problem, retry }: { problem: Problem; retry?: () => void }) {
  return (
    <div class="problem" role="alert">
      <StatusMark status="failed" />
      <p>
        <strong>{problem.what}</strong> {problem.why} {problem.next}
      </p>
      {retry ? (
        <button type="button" class="button" onClick={retry}>
          Try again
        </button>
      ) : null}
    </div>
  );
}

export function Empty({ title, level = 2, children }: { title: string; level?: 1 | 2; children: ComponentChildren }) {
  return (
    <div class="empty">
      {level === 1 ? <h1>{title}</h1> : <h2>{title}</h2>}
      {children}
    </div>
  );
}
