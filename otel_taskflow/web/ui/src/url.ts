/** Everything that is shown has an address. Reading and writing addresses, without a browser. */

import { STATUSES, type Status } from "./model";

export const TABS = ["details", "attempts", "logs", "error"] as const;
export const LEVELS = ["debug", "info", "warning", "error"] as const;
export type Tab = (typeof TABS)[number];
export type Level = (typeof LEVELS)[number];

export interface ListView {
  page: "list";
  status: Status | null;
  name: string | null;
  /** `key:value` */
  tag: string | null;
  /** 32 hexadecimal digits */
  trace: string | null;
}

export interface TaskView {
  page: "task";
  id: string;
  tab: Tab;
  /** Counted from 1. */
  attempt: number | null;
  level: Level | null;
  /** A log line's sequence number. */
  line: number | null;
  extras: boolean;
}

/** How the parts of the process are. */
export interface HealthView {
  page: "health";
}

export type View = ListView | TaskView | HealthView;

export const HEALTH: HealthView = { page: "health" };

export const EVERYTHING: ListView = { page: "list", status: null, name: null, tag: null, trace: null };

export const isUnfiltered = (list: ListView): boolean => list.status === null && list.name === null && list.tag === null && list.trace === null;

export const taskView = (id: string, part: Partial<TaskView> = {}): TaskView => ({
  page: "task",
  id,
  tab: "details",
  attempt: null,
  level: null,
  line: null,
  extras: false,
  ...part,
});

/** What an address shows; what it cannot mean is left out. */
export function parse(base: string, path: string, search: string): View {
  const query = new URLSearchParams(search);
  const id = taskId(base, path);
  if (id !== null) {
    return taskView(id, {
      tab: oneOf(TABS, query.get("tab")) ?? "details",
      attempt: positive(query.get("attempt")),
      level: oneOf(LEVELS, query.get("level")),
      line: positive(query.get("line")),
      extras: query.get("extras") === "1",
    });
  }
  if (path.replace(/\/$/, "") === `${base}/dashboard/health`) return HEALTH;
  const tag = query.get("tag");
  return {
    page: "list",
    status: oneOf(STATUSES, query.get("status")),
    name: query.get("func_name") || null,
    tag: tag !== null && tagOf(tag) ? tag : null,
    trace: /^[0-9a-f]{32}$/.exec(query.get("trace_id") ?? "")?.[0] ?? null,
  };
}

/** The address of a view; defaults are left out, so that there is one address for one view. */
export function href(base: string, view: View): string {
  if (view.page === "health") return `${base}/dashboard/health`;
  if (view.page === "list") {
    return withQuery(`${base}/dashboard`, { status: view.status, func_name: view.name, tag: view.tag, trace_id: view.trace });
  }
  const query = {
    tab: view.tab === "details" ? null : view.tab,
    attempt: view.attempt,
    level: view.level,
    line: view.line,
    extras: view.extras ? 1 : null,
  };
  return withQuery(`${base}/dashboard/tasks/${encodeURIComponent(view.id)}`, query);
}

/**
 * Where the API is, as the browser sees it: from the address of a page, which knows of prefixes that proxies take away
 * before the server sees it; else what the server believes.
 */
export function baseOf(path: string, believed: string): string {
  return /^(.*)\/dashboard(?:\/tasks\/[^/]*|\/health)?\/?$/.exec(path)?.[1] ?? believed;
}

/** `key:value`, as the API takes it: a colon of the key's own has a backslash before it. */
export const tagText = (key: string, value: string): string => `${key.replace(/[\\:]/g, "\\$&")}:${value}`;

/** Key and value of a tag that is asked for. */
export function tagOf(text: string): { key: string; value: string } | null {
  const found = /^((?:\\[^]|[^:\\])*):/.exec(text);
  return found ? { key: (found[1] ?? "").replace(/\\([\\:])/g, "$1"), value: text.slice(found[0].length) } : null;
}

/** Parameters with a value, as a query. */
export function withQuery(path: string, parameters: Record<string, string | number | null>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null) query.set(name, String(value));
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

function taskId(base: string, path: string): string | null {
  const start = `${base}/dashboard/tasks/`;
  if (!path.startsWith(start) || path.length === start.length) return null;
  try {
    return decodeURIComponent(path.slice(start.length));
  } catch {
    return path.slice(start.length);
  }
}

function oneOf<T extends string>(known: readonly T[], text: string | null): T | null {
  return known.find((each) => each === text) ?? null;
}

function positive(text: string | null): number | null {
  return text !== null && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : null;
}
