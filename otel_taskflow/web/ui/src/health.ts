/** What the parts of the process say of themselves, in words for people. Pure. */

import { ago, count, visible } from "./format";
import type { Health, Part, Wellness } from "./model";

type Value = number | bigint | string | boolean | null;

export interface Flow {
  signal: string;
  endpoint: string;
  facts: readonly (readonly [string, string])[];
  /** What the destination says, or why it says nothing. */
  trouble: string | null;
}

export const MOST_SHOWN = 3;

export const troubled = (health: Health): Part[] => health.parts.filter((part) => part.state !== "ok");

/** `Destination tempo` for `destination:tempo`. */
export function partName(part: string): string {
  const [kind = "", ...rest] = part.split(":");
  return visible([kind.charAt(0).toUpperCase() + kind.slice(1), rest.join(":")].filter(Boolean).join(" "));
}

export const WELLNESS: Record<Wellness, string> = { ok: "Ok", degraded: "Degraded", failed: "Failed" };

/** A sentence begins with a capital letter, but for an address, and ends with a full stop, whoever wrote it. */
export const sentence = (text: string): string => {
  const trimmed = visible(text.trim());
  if (trimmed === "") return "";
  const first = /^\w+:\/\//.test(trimmed) ? trimmed.charAt(0) : trimmed.charAt(0).toUpperCase();
  return `${first}${trimmed.slice(1)}${/[.!?]$/.test(trimmed) ? "" : "."}`;
};

/** `0 B`, `12 kB`, `3.4 MB`: powers of ten, three significant figures at most. */
export function bytes(number: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = number;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** The signals of a destination. */
export function flows(part: Part, now: number): Flow[] {
  const figures = part.figures ?? {};
  const signals = new Set(Object.keys(figures).flatMap((key) => (key.includes(".") ? [key.slice(0, key.indexOf("."))] : [])));
  return [...signals].map((signal) => flow(signal, (name) => figures[`${signal}.${name}`] ?? null, figures, now));
}

function flow(signal: string, get: (name: string) => Value, figures: Record<string, Value>, now: number): Flow {
  const daily = get("bytes_a_day");
  return {
    signal,
    endpoint: visible(String(get("endpoint") ?? "")),
    facts: [
      ["Waiting", waiting(Number(get("backlog") ?? 0), Number(get("backlog_bytes") ?? 0), get("oldest"), now)],
      ["Delivered", `${count(Number(get("delivered") ?? 0))} · ${bytes(Number(get("delivered_bytes") ?? 0))}`],
      ["Lost", lost(signal, figures)],
      ["A day, about", daily === null ? "known after a minute" : bytes(Number(daily))],
    ],
    trouble: textOf(get("last_error")) ?? textOf(get("refusal")),
  };
}

function waiting(messages: number, size: number, oldest: Value, now: number): string {
  if (messages === 0) return "0";
  const age = oldest === null ? "" : ` · oldest ${ago(new Date(Number(oldest) / 1e6).toISOString(), now)}`;
  return `${count(messages)} · ${bytes(size)}${age}`;
}

function lost(signal: string, figures: Record<string, Value>): string {
  const start = `${signal}.dropped.`;
  const reasons = Object.entries(figures).filter(([key]) => key.startsWith(start));
  return reasons.map(([key, number]) => `${visible(key.slice(start.length).replaceAll("_", " "))} ${count(Number(number))}`).join(", ") || "0";
}

const textOf = (value: Value): string | null => (typeof value === "string" && value !== "" ? visible(value) : null);

/** The figures of any other part, as label and text. */
export function facts(part: Part): (readonly [string, string])[] {
  const entries = Object.entries(part.figures ?? {}).filter(([, value]) => value !== null && value !== "");
  return entries.map(([name, value]) => [visible(name.replaceAll("_", " ")), shown(name, value)] as const);
}

function shown(name: string, value: Value): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string" || value === null) return visible(value ?? "");
  return /bytes$|^budget$/.test(name) ? bytes(Number(value)) : count(value);
}
