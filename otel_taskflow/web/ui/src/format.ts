/** Numbers, times and values as people read them. Pure; times are shown local, the full UTC goes into the title. */

import { write } from "./json";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const counts = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const dayAndYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

export const NOTHING = "–";

export const count = (value: number | bigint): string => counts.format(value);

/** Three significant figures at most: `0.4 ms`, `340 ms`, `2.41 s`, `3 min 12 s`, `2 h 05 min`. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NOTHING;
  const value = Math.max(0, seconds);
  if (value < 0.9995) return inMilliseconds(value * 1000);
  if (value < 59.95) return `${value < 9.995 ? value.toFixed(2) : value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  return `${Math.floor(minutes / 1440)} d ${two(Math.floor((minutes % 1440) / 60))} h`;
}

const inMilliseconds = (value: number): string =>
  value === 0 ? "0 ms" : value < 9.95 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;

const two = (value: number): string => String(value).padStart(2, "0");

/** `12 s`, `5 min`: how long a wait still is; whole seconds so that a countdown stays calm. */
export function countdown(milliseconds: number): string {
  const seconds = Math.max(0, Math.ceil(milliseconds / SECOND));
  return seconds < 60 ? `${seconds} s` : duration(seconds);
}

/** `now`, `12 s ago`, `5 min ago`, `3 h ago`, then the date. */
export function ago(iso: string, now: number): string {
  const age = now - Date.parse(iso);
  if (age < 2 * SECOND) return "now";
  if (age < MINUTE) return `${Math.floor(age / SECOND)} s ago`;
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min ago`;
  if (age < DAY) return `${Math.floor(age / HOUR)} h ago`;
  return localDay(new Date(iso), new Date(now));
}

/** Local date, with the year when it is not this one. */
const localDay = (date: Date, now: Date): string =>
  (date.getFullYear() === now.getFullYear() ? day : dayAndYear).format(date);

/** Local time of day, with the date in front when it is not today's. */
export function moment(iso: string, now: number): string {
  const date = new Date(iso);
  const time = clock.format(date);
  return date.toDateString() === new Date(now).toDateString() ? time : `${localDay(date, new Date(now))}, ${time}`;
}

/** Local time of day with milliseconds, as a log line shows it. */
export function preciseTime(iso: string): string {
  const date = new Date(iso);
  return `${clock.format(date)}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** The whole of it in UTC: `2026-01-02 03:04:05.678901 UTC`. */
export const utc = (iso: string): string => `${iso.replace("T", " ").replace(/(Z|\+00:00)$/, "")} UTC`;

/** A JSON value in one line: strings as they are, everything else as JSON. */
export const value = (thing: unknown): string => (typeof thing === "string" ? thing : write(thing));

/** `order_id=4711, 3` for a task's arguments. */
export function call(args: readonly unknown[] | null | undefined, kwargs: Record<string, unknown> | null | undefined): string {
  const positional = (args ?? []).map((each) => write(each));
  const named = Object.entries(kwargs ?? {}).map(([name, each]) => `${name}=${write(each)}`);
  return [...positional, ...named].join(", ");
}

// Control characters and those that steer the direction of text, but for line breaks and tabs.
const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** A text that shows all of itself: what would steer the text around it is written out, as `\u202e`. */
export const visible = (text: string): string =>
  text.replace(INVISIBLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** The same in one line. */
export const oneLine = (text: string): string => visible(text.replace(/\r\n?|\n/g, " ⏎ "));

/** The label of a point in time: a round number needs no decimals. */
export const tickLabel = (seconds: number): string =>
  seconds === 0 ? "0" : duration(seconds).replace(/(\.\d*?)0+(?= m?s$)/, "$1").replace(/\.(?= )/, "").replace(" min 00 s", " min").replace(" h 00 min", " h");

export const plural = (number: number, one: string, many = `${one}s`): string => `${count(number)} ${number === 1 ? one : many}`;

export const percent = (share: number): string => {
  const value = share * 100;
  const text = value > 0 && value < 100 ? Math.min(99.9, Math.max(0.1, value)).toFixed(1) : value.toFixed(0);
  return `${text} %`;
};
