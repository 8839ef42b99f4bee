/** The lines of a log, however many: only those in sight are in the page. */

import { type Signal, useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

import { count, duration, oneLine, preciseTime, utc, value, visible } from "../format";
import type { LogController } from "../log-controller";
import { cause, type LogRow } from "../logs";
import type { Attempt, LogEntry } from "../model";
import { go } from "../state";
import type { TaskView } from "../url";
import { shortType } from "../words";

/** Pixels; the style sheet has the same height. */
const ROW = 22;
const BEYOND = 15;
/** Characters of a message that could ever be seen in one line; the line's own view has all of them. */
const LONGEST = 1000;

interface Properties {
  controller: LogController;
  attempts: readonly Attempt[];
  view: TaskView;
  isRunning: boolean;
}

export function LogLines({ controller, attempts, view, isRunning }: Properties) {
  const place = usePlace(isRunning && view.line === null);
  void controller.version.value;
  const rows = controller.rows;
  const first = Math.max(0, Math.floor(place.top.value / ROW) - BEYOND);
  const last = Math.min(rows - 1, Math.ceil((place.top.value + place.height.value) / ROW) + BEYOND);
  useHeight(place, controller);
  useLayoutEffect(() => {
    if (place.isFollowing.value) scrollToEnd(place);
  }, [rows, place.height.value, place.isFollowing.value]);
  useLayoutEffect(() => controller.ensure(first, last), [controller, first, last, rows]);
  const selected = view.line === null ? null : controller.indexOf(view.line);
  useLayoutEffect(() => {
    if (view.line !== null) void controller.reach(view.line);
  }, [controller, view.line]);
  useLayoutEffect(() => {
    if (selected !== null && place.scroller.current) reveal(place.scroller.current, selected);
  }, [view.line, selected !== null]);

  const select = (seq: number) => {
    letGo(place, controller);
    go({ ...view, line: view.line === seq ? null : seq }, true);
  };
  const shown = Array.from({ length: Math.max(0, last - first + 1) }, (_, offset) => first + offset);
  return (
    <div class="log-frame">
      <div
        class="log-lines"
        ref={place.scroller}
        onScroll={() => scrolled(place, controller, isRunning)}
        onKeyDown={(event) => pressed(event, place, controller, view)}
        tabIndex={0}
        role="table"
        aria-label="Log lines"
        aria-rowcount={rows}
      >
        <div class="log-space" style={{ height: `${rows * ROW}px` }}>
          <div class="log-shown" role="rowgroup" style={{ transform: `translateY(${first * ROW}px)` }}>
            {shown.map((index) => (
              <RowView key={index} index={index} row={controller.row(index)} attempts={attempts} view={view} select={select} />
            ))}
          </div>
        </div>
      </div>
      {isRunning ? <Follow place={place} controller={controller} rows={rows} /> : null}
    </div>
  );
}

// Where the reader is

interface Place {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly top: Signal<number>;
  readonly height: Signal<number>;
  readonly isFollowing: Signal<boolean>;
  /** Rows that were there when following ended. */
  readonly seen: Signal<number>;
}

function usePlace(isFollowing: boolean): Place {
  return {
    scroller: useRef<HTMLDivElement>(null),
    top: useSignal(0),
    height: useSignal(600),
    isFollowing: useSignal(isFollowing),
    seen: useSignal(0),
  };
}

/** Knows how much of the log is in sight. */
function useHeight(place: Place, controller: LogController): void {
  useLayoutEffect(() => {
    const element = place.scroller.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      place.height.value = element.clientHeight;
    });
    observer.observe(element);
    if (place.isFollowing.peek()) void controller.reachEnd();
    return () => observer.disconnect();
  }, []);
}

function scrollToEnd({ scroller }: Place): void {
  if (scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
}

function follow(place: Place, controller: LogController): void {
  place.isFollowing.value = true;
  void controller.reachEnd();
  scrollToEnd(place);
}

function letGo(place: Place, controller: LogController): void {
  place.isFollowing.value = false;
  place.seen.value = controller.rows;
}

/** New lines move the end away, not the reader: only who scrolls up stops following. */
function scrolled(place: Place, controller: LogController, isRunning: boolean): void {
  const element = place.scroller.current;
  if (!element) return;
  const isAtEnd = element.scrollTop + element.clientHeight >= element.scrollHeight - ROW;
  if (isAtEnd && isRunning) place.isFollowing.value = true;
  else if (element.scrollTop < place.top.peek() - 2 && place.isFollowing.peek()) letGo(place, controller);
  place.top.value = element.scrollTop;
}

function pressed(event: KeyboardEvent, place: Place, controller: LogController, view: TaskView): void {
  if (event.key === "End") follow(place, controller);
  const next = chosen(event.key, place, controller, view.line);
  if (next === null) return;
  event.preventDefault();
  letGo(place, controller);
  go({ ...view, line: next }, true);
}

/** The line that a key leads to: the next or previous one; without one that is selected, the first or last in sight. */
function chosen(key: string, place: Place, controller: LogController, line: number | null): number | null {
  const by = key === "ArrowUp" ? -1 : key === "ArrowDown" || key === "Enter" ? 1 : 0;
  if (by === 0) return null;
  const from = line === null ? null : controller.indexOf(line);
  if (from !== null) return key === "Enter" ? null : lineFrom(controller, from + by, by);
  const top = place.scroller.current?.scrollTop ?? 0;
  const inSight = by === 1 ? Math.ceil(top / ROW) : Math.min(controller.rows, Math.floor((top + place.height.peek()) / ROW)) - 1;
  return lineFrom(controller, inSight, by);
}

function Follow({ place, controller, rows }: { place: Place; controller: LogController; rows: number }) {
  const isFollowing = place.isFollowing.value;
  const news = rows - place.seen.value;
  return (
    <button
      type="button"
      class={isFollowing ? "button pill follow" : "button primary pill follow"}
      aria-pressed={isFollowing}
      onClick={() => (isFollowing ? letGo(place, controller) : follow(place, controller))}
    >
      {isFollowing ? "Following" : news > 0 ? `${count(news)} new ↓` : "Follow ↓"}
    </button>
  );
}

// Rows

interface RowProperties {
  index: number;
  row: LogRow;
  attempts: readonly Attempt[];
  view: TaskView;
  select: (seq: number) => void;
}

export function RowView({ index, row, attempts, view, select }: RowProperties) {
  if (row.kind === "missing" || row.kind === "lost") {
    return (
      <div class="log-row loading" role="row" aria-rowindex={index + 1}>
        <span role="cell">{row.kind === "lost" ? `line ${row.seq} was not kept` : "…"}</span>
      </div>
    );
  }
  if (row.kind === "retry") {
    const why = cause(attempts.map(withShortType), row.attempt, duration);
    return (
      <div class="log-row retry" role="row" aria-rowindex={index + 1}>
        <span role="cell">
          --- Retry {row.attempt} ---{why ? <span class="retry-why"> {why}</span> : null}
        </span>
      </div>
    );
  }
  return <LineRow index={index} entry={row.entry} isSelected={view.line === row.entry.seq} extras={view.extras} select={select} />;
}

const withShortType = (attempt: Attempt): Attempt => (attempt.error_type ? { ...attempt, error_type: shortType(attempt.error_type) } : attempt);

function LineRow({ index, entry, isSelected, extras, select }: { index: number; entry: LogEntry; isSelected: boolean; extras: boolean; select: (seq: number) => void }) {
  return (
    <div
      class={`log-row line-${entry.level}${isSelected ? " selected" : ""}`}
      role="row"
      aria-rowindex={index + 1}
      aria-selected={isSelected}
      onClick={() => select(entry.seq)}
    >
      <time role="cell" class="log-time" dateTime={entry.time} title={utc(entry.time)}>
        {preciseTime(entry.time)}
      </time>
      <span role="cell" class={`level level-${entry.level}`}>
        {entry.level}
      </span>
      <span role="cell" class="log-message">
        {oneLine(entry.message.slice(0, LONGEST))}
        {entry.late ? <span class="chip small">late</span> : null}
        {extras ? <Extras extra={entry.extra} /> : null}
      </span>
    </div>
  );
}

function Extras({ extra }: { extra: Record<string, unknown> }) {
  return (
    <>
      {Object.entries(extra).map(([name, each]) => (
        <span key={name} class="chip small">
          <span class="chip-name">{visible(name)}</span>
          <span class="chip-value">{oneLine(value(each).slice(0, 200))}</span>
        </span>
      ))}
    </>
  );
}

/** The line in this row, or in the next one that is no separator. */
function lineFrom(controller: LogController, row: number, by: 1 | -1): number | null {
  for (let index = row; index >= 0 && index < controller.rows; index += by) {
    const row = controller.row(index);
    if (row.kind !== "retry") return row.kind === "line" ? row.entry.seq : row.seq;
  }
  return null;
}

function reveal(scroller: HTMLElement, index: number): void {
  const above = index * ROW;
  if (above < scroller.scrollTop) scroller.scrollTop = above - ROW;
  else if (above + 2 * ROW > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = above - scroller.clientHeight / 2;
}
