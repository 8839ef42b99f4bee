/** What the page knows and shows: the signals that views read, and what changes them. */

import { batch, computed, effect, signal } from "@preact/signals";

import { ApiError, explain, makeApi, type Problem, type TaskPage } from "./api";
import { type Attempts, inOrder, merge as mergeAttempts, NO_ATTEMPTS } from "./attempts";
import { parse as parseJson } from "./json";
import { Live } from "./live";
import { LogController } from "./log-controller";
import { type Attempt, type Health, isFinal, type Metrics, type Seed, shown, type Task, type TaskSeed } from "./model";
import * as store from "./store";
import { baseOf, EVERYTHING, href, isUnfiltered, type ListView, parse, type TaskView, type View } from "./url";
import { doneBy } from "./words";

const FIRST_ROWS = 50;
const MORE_ROWS = 100;
const MOST_ROWS = 200;
const ROWS_KEPT = 2000;
/** Milliseconds after which the list is compared with the server's. */
const RECHECK_AFTER = 60_000;

export interface DetailState {
  id: string;
  known: Attempts;
  /** In order; null until all are known. */
  attempts: readonly Attempt[] | null;
  missing: boolean;
}

const WHOLE: store.Window = { floor: null, ceiling: null, limit: FIRST_ROWS, found: store.NO_IDS };
const written = parseJson(document.getElementById("data")?.textContent ?? "null") as Seed;
export const seed: Seed = { ...written, base: baseOf(location.pathname, written.base) };
export const api = makeApi(seed);

export const view = signal<View>(parse(seed.base, location.pathname, location.search));
/** Where a task's page leads back to. */
export const lastList = signal<ListView>(view.value.page === "list" ? view.value : EVERYTHING);
/** How the parts of the process are; all of them on their own page, else those that are not well. */
export const health = signal<Health>(seed.health);
export const tasks = signal<store.Tasks>(store.NO_TASKS);
/** The task that was open last. */
export const lastOpened = signal<string | null>(null);
export const listWindow = signal<store.Window>(WHOLE);
const cursor = signal<string | null>(null);
export const listIsRead = signal(false);
export const isReading = signal(false);
export const listProblem = signal<Problem | null>(null);
export const detail = signal<DetailState | null>(null);
export const detailProblem = signal<Problem | null>(null);
export const log = signal<LogController | null>(null);
/** What just happened, for the eye and for screen readers. */
export const notice = signal<{ text: string; bad: boolean } | null>(null);
/** The server's time in milliseconds; it moves on while something is under way. */
export const now = signal(Date.now());

export const listing = computed(() => store.list(tasks.value, lastList.value, listWindow.value));
export const hasMore = computed(() => listing.value.more || cursor.value !== null);
export const openTask = computed(() => (detail.value ? store.find(tasks.value, detail.value.id) : null));

/** The figures with which the stream began. */
let greeting: { metrics: Metrics; change: number } | null = null;
const live = new Live(`${seed.base}/dashboard/stream`, seed.initial?.change ?? -1, {
  tasks: (rows, metrics, change) => takeOver(rows, metrics, change),
  attempts: (id, attempts, change) => {
    takeAttempts(id, attempts, change);
    if (detailProblem.peek()) readDetailAgain();
  },
  logs: (id, entries) => log.value?.id === id && log.value.add(entries),
  health: (news) => (health.value = news),
  resync: (isAnew) => void readAgain(isAnew),
  hello: (metrics, change) => {
    greeting = { metrics, change };
    takeOver([], metrics, change);
  },
  refused: () => void askWhy(),
});
api.onAnswer = (isLetIn) => (isLetIn ? live.goOn() : live.end());
export const connection = live.connection;

/** Show what came with the page, then follow. */
export function start(): void {
  const initial = seed.initial;
  if (initial && "tasks" in initial) {
    takeOver(initial.tasks, initial.metrics, initial.change);
    if (isUnfiltered(lastList.value)) showPage(initial.tasks, initial.cursor, false);
  } else if (initial && initial.task) {
    takeOver([initial.task], undefined, initial.change);
  }
  enter(view.value, initial && "task" in initial ? initial : null);
  addEventListener("popstate", () => show(parse(seed.base, location.pathname, location.search)));
  setInterval(tick, 250);
  setInterval(() => void recheck(), RECHECK_AFTER);
}

// Where we are

/** Go to a view; `replace` leaves no step in the history. */
export function go(next: View, replace = false): void {
  const address = href(seed.base, next);
  if (replace || address === location.pathname + location.search) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  show(next);
}

export const address = (next: View): string => href(seed.base, next);

function show(next: View): void {
  const before = view.value;
  batch(() => {
    view.value = next;
    notice.value = null;
    if (next.page === "list") lastList.value = next;
  });
  if (next.page === "task" && before.page === "task" && next.id === before.id) return openLog(next);
  enter(next, null);
}

function enter(next: View, initial: TaskSeed | null): void {
  listWindow.value = { ...listWindow.value, ceiling: null };
  if (next.page === "list") {
    closeTask();
    if (!(isFirst && listIsRead.value)) void readList(next);
    isFirst = false;
  } else if (next.page === "task") {
    openDetail(next, initial);
  } else {
    closeTask();
  }
  live.open(next.page === "task" && !detail.value?.missing ? next.id : null, next.page === "health");
}

// The list

/** The first list came with the page. */
let isFirst = true;
let shownList: ListView | null = null;

function showPage(page: readonly Task[], next: string | null, keepsPlace: boolean): void {
  const last = page.at(-1);
  batch(() => {
    shownList = lastList.value;
    listProblem.value = null;
    if (keepsPlace) return;
    listIsRead.value = true;
    cursor.value = next;
    listWindow.value = { ...listWindow.value, floor: next !== null && last ? last : null };
  });
}

async function readList(list: ListView): Promise<void> {
  const isNew = shownList === null || href("", shownList) !== href("", list);
  shownList = list;
  if (isNew) {
    listIsRead.value = false;
    listWindow.value = WHOLE;
    cursor.value = null;
  }
  // Changes are told on all pages: what is known of the same list has no gap, and who reads further down stays there.
  await readPage(list, Math.min(MOST_ROWS, listWindow.value.limit), null, listIsRead.value);
}

export const readListAgain = (): void => void readList(lastList.value);

/** Show more rows, fetching them if they are not known. */
export async function showMore(): Promise<void> {
  if (isReading.value) return;
  const limit = listWindow.value.limit + MORE_ROWS;
  const known = listing.value.tasks.length;
  listWindow.value = { ...listWindow.value, limit };
  if (listing.value.tasks.length < Math.min(limit, known + MORE_ROWS) && cursor.value !== null) {
    await readPage(lastList.value, MORE_ROWS, cursor.value);
  }
}

async function readPage(list: ListView, limit: number, from: string | null, keepsPlace = false): Promise<void> {
  isReading.value = true;
  try {
    const page = await askForPage(list, limit, from, from === null ? null : listWindow.value.floor);
    if (lastList.value === list) showPage(page.tasks, page.cursor, keepsPlace);
  } catch (error) {
    if (lastList.value === list) listProblem.value = explain("The list cannot be read.", error);
  } finally {
    isReading.value = false;
  }
}

async function askForPage(list: ListView, limit: number, from: string | null, after: store.Place | null): Promise<TaskPage> {
  const change = live.change;
  const page = await api.list(list, limit, from);
  batch(() => {
    takeOver(page.tasks, undefined, change);
    if (lastList.value !== list) return;
    const found = new Set([...listWindow.value.found, ...page.tasks.map((task) => task.task_id)]);
    if (list.trace !== null) listWindow.value = { ...listWindow.value, found };
    if (view.value.page !== "list") return;
    const answer = { tasks: page.tasks, after, isLast: page.cursor === null, change };
    tasks.value = store.withoutGone(tasks.value, answer, list, found);
  });
  return page;
}

/** Retention tells nobody what it takes: compare the rows that are shown with those that there are. */
async function recheck(): Promise<void> {
  const list = lastList.value;
  if (document.hidden || view.value.page !== "list" || !listIsRead.value || connection.value !== "live") return;
  let from: string | null = null;
  let after: store.Place | null = null;
  let rows = 0;
  try {
    do {
      const page: TaskPage = await askForPage(list, Math.min(MOST_ROWS, listWindow.value.limit), from, after);
      from = page.cursor;
      after = page.tasks.at(-1) ?? after;
      rows += page.tasks.length;
    } while (from !== null && rows < listWindow.value.limit && lastList.value === list);
  } catch {
    // The next time.
  }
}

/** Hold the list still while somebody reads further down; let it go when they are back at the top. */
export function holdList(hold: boolean): void {
  const top = listing.value.tasks[0];
  if (hold === (listWindow.value.ceiling !== null) || (hold && !top)) return;
  if (!hold && !listIsRead.value) void readList(lastList.value);
  listWindow.value = { ...listWindow.value, ceiling: hold && top ? { created_at: top.created_at, task_id: top.task_id } : null };
}

// One task

function closeTask(): void {
  log.value?.close();
  batch(() => {
    log.value = null;
    detail.value = null;
    detailProblem.value = null;
  });
}

function openDetail(next: TaskView, initial: TaskSeed | null): void {
  closeTask();
  lastOpened.value = next.id;
  const missing = initial !== null && initial.task === null;
  detail.value = { id: next.id, known: NO_ATTEMPTS, attempts: null, missing };
  if (initial?.task) takeAttempts(next.id, initial.task.attempts, initial.change, true);
  openLog(next);
  if (initial === null) void readDetail(next.id);
}

async function readDetail(id: string): Promise<void> {
  const change = live.change;
  try {
    const { attempts, ...task } = await api.task(id);
    gone.delete(id);
    batch(() => {
      takeOver([task], undefined, change);
      takeAttempts(id, attempts, change, true);
      detailProblem.value = null;
    });
  } catch (error) {
    if (detail.value?.id !== id) return;
    if (!(error instanceof ApiError && error.status === 404)) detailProblem.value = explain("This task cannot be read.", error);
    else if (error.isGone) taskIsGone(id);
    else detail.value = { ...detail.value, missing: true };
  }
}

/** Kept no more: an answer that comes late does not bring them back. */
const gone = new Set<string>();

/** Nothing is told of it any more, and its own stream is refused. */
function taskIsGone(id: string): void {
  gone.add(id);
  batch(() => {
    tasks.value = store.forget(tasks.value, [id]);
    if (detail.value?.id === id) detail.value = { ...detail.value, missing: true };
  });
  if (live.task === id) live.open(null);
}

/** Why is the stream refused? That the session has ended is told with every answer. */
async function askWhy(): Promise<void> {
  const id = live.task;
  try {
    await (id === null ? api.metrics() : api.logs(id, { limit: 1 }));
  } catch (error) {
    if (id !== null && error instanceof ApiError && error.isGone) taskIsGone(id);
  }
}

export function readDetailAgain(): void {
  if (detail.value) void readDetail(detail.value.id);
}

function openLog(next: TaskView): void {
  const open = log.value;
  if (next.tab !== "logs" && next.tab !== "details") return;
  const filter = next.tab === "logs" ? { level: next.level, attempt: next.attempt } : { level: null, attempt: null };
  if (open && open.id === next.id && open.filter.level === filter.level && open.filter.attempt === filter.attempt) return;
  open?.close();
  log.value = new LogController(api, next.id, filter);
  expectLog();
}

function expectLog(): void {
  const task = openTask.peek();
  if (task && log.value?.id === task.task_id) log.value.expect(task.log_count, detail.value?.attempts ?? []);
}

// Verbs

/** Retry or cancel, then show what came of it. */
export async function obey(verb: "retry" | "cancel", id: string): Promise<void> {
  const change = live.change;
  try {
    const task = await api.obey(verb, id);
    takeOver([task], undefined, change);
    if (verb === "retry") go({ page: "task", id: task.task_id, tab: "details", attempt: null, level: null, line: null, extras: false });
    notice.value = { text: doneBy(verb, task), bad: false };
  } catch (error) {
    const problem = explain(verb === "retry" ? "Not retried." : "Not cancelled.", error);
    notice.value = { text: `${problem.what} ${problem.why}`, bad: true };
  }
}

// What the server says

function takeOver(rows: readonly Task[], metrics: Parameters<typeof store.count>[1], change: number): void {
  batch(() => {
    const kept = rows.filter((row) => !gone.has(row.task_id));
    const merged = store.count(store.merge(tasks.value, kept, change), metrics, change);
    tasks.value = keepSmall(merged);
    if (detail.value && rows.some((row) => row.task_id === detail.value?.id)) expectLog();
  });
}

function keepSmall(state: store.Tasks): store.Tasks {
  const size = Math.max(ROWS_KEPT, listWindow.value.limit * 2);
  if (state.rows.size <= size * 2) return state;
  const looked = [...listing.value.tasks.map((task) => task.task_id), ...(detail.value ? [detail.value.id] : [])];
  // What was forgotten has to be fetched again, from the top, before more can be shown.
  listIsRead.value = false;
  if (view.value.page === "list" && listWindow.value.ceiling === null) queueMicrotask(() => void readList(lastList.value));
  return store.prune(state, size, new Set(looked));
}

function takeAttempts(id: string, attempts: readonly Attempt[], change: number, isWhole = false): void {
  const open = detail.value;
  if (!open || open.id !== id) return;
  const known = mergeAttempts(open.known, attempts, change, isWhole);
  detail.value = { ...open, known, attempts: inOrder(known), missing: false };
  expectLog();
}

async function readAgain(isAnew: boolean): Promise<void> {
  // A store that began anew counts from the start again: what is known would seem newer for ever.
  if (isAnew) tasks.value = store.count(store.NO_TASKS, greeting?.metrics, greeting?.change ?? -1);
  listIsRead.value = false;
  const open = view.value;
  if (open.page === "health") return;
  if (open.page === "list") return readList(open);
  log.value?.close();
  log.value = null;
  openLog(open);
  if (isAnew && detail.value) detail.value = { ...detail.value, known: NO_ATTEMPTS };
  await readDetail(open.id);
}

// Time

function tick(): void {
  if (document.hidden || !isSomethingUnderWay()) {
    // Ages are told in seconds at first; nobody needs them more often.
    if (Date.now() + api.skew - now.value < 1000) return;
  }
  now.value = Date.now() + api.skew;
}

const isSomethingUnderWay = (): boolean => view.value.page === "task" && openTask.value !== null && !isFinal(openTask.value.status);

effect(() => {
  const task = openTask.value;
  document.title = task ? `${shown(task)}: ${task.func_name} – ${seed.title}` : seed.title;
});

// A stream that works again is the moment to try what failed.
effect(() => {
  if (connection.value !== "live") return;
  if (listProblem.peek()) void readList(lastList.peek());
  const open = detail.peek();
  if (open && detailProblem.peek()) void readDetail(open.id);
  if (log.peek()?.problem.peek()) log.peek()?.again();
});
