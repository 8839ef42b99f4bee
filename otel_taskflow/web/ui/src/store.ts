/**
 * What the page knows of tasks: one map by id, each row with the number of the change that it reflects.
 * A row gives way only to one that is as new or newer, so late and doubled answers and events do no harm. Pure.
 */

import { isFinal, type Metrics, type Task } from "./model";
import { type ListView, tagOf } from "./url";

interface Row {
  readonly task: Task;
  readonly change: number;
}

export interface Tasks {
  readonly rows: ReadonlyMap<string, Row>;
  readonly metrics: Metrics | null;
  /** The change that the figures reflect. */
  readonly counted: number;
}

/** A task's place in the list: newest first. */
export interface Place {
  readonly created_at: string;
  readonly task_id: string;
}

/** The part of the list that is known without a gap. */
export interface Window {
  /** Nothing older is known for sure; null: everything is. */
  readonly floor: Place | null;
  /** While the list is held still, nothing newer is shown. */
  readonly ceiling: Place | null;
  readonly limit: number;
  /** What the server found for the trace that is asked for: by an attempt's own trace, of which a row says nothing. */
  readonly found: ReadonlySet<string>;
}

export const NO_IDS: ReadonlySet<string> = new Set();

export const NO_TASKS: Tasks = { rows: new Map(), metrics: null, counted: -1 };

/** Take over rows that reflect everything up to `change`. */
export function merge(state: Tasks, tasks: readonly Task[], change: number): Tasks {
  const news = tasks.filter((task) => change >= (state.rows.get(task.task_id)?.change ?? -1));
  if (news.length === 0) return state;
  const rows = new Map(state.rows);
  for (const task of news) rows.set(task.task_id, { task, change });
  return { ...state, rows };
}

export function count(state: Tasks, metrics: Metrics | undefined, change: number): Tasks {
  return metrics === undefined || metrics.total === undefined || change < state.counted
    ? state
    : { ...state, metrics, counted: change };
}

export const find = (state: Tasks, id: string): Task | null => state.rows.get(id)?.task ?? null;

/** Negative when `a` stands above `b`. */
export function compare(a: Place, b: Place): number {
  return a.created_at === b.created_at ? sign(b.task_id, a.task_id) : sign(b.created_at, a.created_at);
}

const sign = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export function matches(task: Task, view: ListView, found: ReadonlySet<string>): boolean {
  if (view.status !== null && task.status !== view.status) return false;
  if (view.name !== null && task.func_name !== view.name) return false;
  if (view.trace !== null && task.trace_id !== view.trace && !found.has(task.task_id)) return false;
  if (view.tag === null) return true;
  const tag = tagOf(view.tag);
  return tag !== null && task.tags[tag.key] === tag.value;
}

export interface Listing {
  readonly tasks: readonly Task[];
  /** Newer ones that are held back. */
  readonly held: number;
  /** Known ones below the limit. */
  readonly more: boolean;
}

/** The rows of the list. */
export function list(state: Tasks, view: ListView, window: Window): Listing {
  const found: Task[] = [];
  let held = 0;
  for (const { task } of state.rows.values()) {
    if (!matches(task, view, window.found) || (window.floor && compare(task, window.floor) > 0)) continue;
    if (window.ceiling && compare(task, window.ceiling) < 0) held += 1;
    else found.push(task);
  }
  found.sort(compare);
  return { tasks: found.slice(0, window.limit), held, more: found.length > window.limit };
}

export function forget(state: Tasks, ids: readonly string[]): Tasks {
  if (!ids.some((id) => state.rows.has(id))) return state;
  const rows = new Map(state.rows);
  for (const id of ids) rows.delete(id);
  return { ...state, rows };
}

/** A page of the server's list: what lies between `after` and its last row, or below if there is no more. */
export interface Page {
  readonly tasks: readonly Task[];
  readonly after: Place | null;
  readonly isLast: boolean;
  /** The change that it reflects at least. */
  readonly change: number;
}

/**
 * Forget finished tasks that should be in a page and are not: retention has taken them, and tells nobody. Those that are
 * newer than the page stay.
 */
export function withoutGone(state: Tasks, page: Page, view: ListView, found: ReadonlySet<string>): Tasks {
  const kept = new Set(page.tasks.map((task) => task.task_id));
  const end = page.tasks.at(-1);
  const isGone = ({ task, change }: Row): boolean =>
    isFinal(task.status) &&
    change <= page.change &&
    !kept.has(task.task_id) &&
    (page.after === null || compare(task, page.after) > 0) &&
    (page.isLast || (end !== undefined && compare(task, end) < 0)) &&
    matches(task, view, found);
  return forget(state, [...state.rows.values()].filter(isGone).map((row) => row.task.task_id));
}

/** Forget the oldest rows but for those to keep. Returns the same state when it is small enough. */
export function prune(state: Tasks, size: number, keep: ReadonlySet<string>): Tasks {
  if (state.rows.size <= size * 2) return state;
  const newest = [...state.rows.values()].sort((a, b) => compare(a.task, b.task)).slice(0, size);
  const rows = new Map(newest.map((row) => [row.task.task_id, row]));
  for (const id of keep) {
    const row = state.rows.get(id);
    if (row) rows.set(id, row);
  }
  return { ...state, rows };
}

/** The number of the change that a server-sent event carries. */
export function changeOf(lastEventId: string): number {
  return /^\d+$/.test(lastEventId) ? Number(lastEventId) : -1;
}

/** Names of tasks that are known, for suggestions. */
export function names(state: Tasks): string[] {
  return [...new Set([...state.rows.values()].map((row) => row.task.func_name))].sort();
}
