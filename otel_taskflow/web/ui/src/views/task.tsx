/** One task: its head with the verbs, and four tabs. */

import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import { visible } from "../format";
import type { Attempt, Task } from "../model";
import { isFinal, isRetryable, shown } from "../model";
import { address, detail, detailProblem, lastList, now, obey, openTask, readDetailAgain } from "../state";
import { TABS, type Tab, type TaskView, taskView } from "../url";
import { reason } from "../words";
import { AttemptsTab } from "./attempts";
import { DetailsTab } from "./details";
import { ErrorTab } from "./errors";
import { Duration } from "./list";
import { LogsTab } from "./logs";
import { Empty, ProblemBox, Status, useCurrentInSight } from "./parts";

export function TaskPage({ view }: { view: TaskView }) {
  useLayoutEffect(() => scrollTo(0, 0), []);
  const task = openTask.value;
  const attempts = detail.value?.attempts ?? null;
  if (detail.value?.missing && task === null) return <Missing id={view.id} />;
  return (
    <div class="page task-page">
      <nav class="back">
        <a href={address(lastList.value)}>← Tasks</a>
      </nav>
      {detailProblem.value ? <ProblemBox problem={detailProblem.value} retry={readDetailAgain} /> : null}
      {task ? <Head task={task} /> : null}
      {task ? <Tabs view={view} task={task} attempts={attempts} /> : null}
      {task ? <Panel view={view} task={task} attempts={attempts} /> : detailProblem.value ? null : <p class="muted">Loading …</p>}
    </div>
  );
}

function Head({ task }: { task: Task }) {
  const title = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => title.current?.focus({ preventScroll: true }), [task.task_id]);
  const why = reason(task, now.value);
  return (
    <header class="head">
      <div class="head-title">
        <h1 ref={title} tabIndex={-1}>
          {visible(task.func_name)}
        </h1>
        <p class="head-state">
          <Status status={shown(task)} />
          {task.start_time === null ? null : (
            <span class="number">
              <Duration task={task} />
            </span>
          )}
          {why ? <span class="muted">{why}</span> : null}
        </p>
      </div>
      <Verbs key={task.task_id} task={task} />
    </header>
  );
}

/** Milliseconds in which a press may still be meant for what stood in the same place before. */
const REACTION = 700;

/** True from a change of the value until people have had the time to see it. */
function useJustChanged(value: boolean): boolean {
  const seen = useSignal(value);
  useEffect(() => {
    const timer = setTimeout(() => (seen.value = value), REACTION);
    return () => clearTimeout(timer);
  }, [value]);
  return seen.value !== value;
}

/**
 * Retry is for what went wrong, cancel for what is not over. A second click in the same place never cancels, and a press on
 * Cancel that comes too late never retries: each button is one of its own, which takes no focus over.
 */
function Verbs({ task }: { task: Task }) {
  const busy = useSignal(false);
  const isAsking = useSignal(false);
  const act = async (verb: "retry" | "cancel") => {
    busy.value = true;
    await obey(verb, task.task_id);
    busy.value = isAsking.value = false;
  };
  const isOver = isFinal(task.status);
  const isFresh = useJustChanged(isOver);
  if (isOver) {
    if (!isRetryable(task.status)) return null;
    return (
      <div class="verbs">
        <button key="retry" type="button" class="button primary" disabled={busy.value || isFresh} onClick={() => void act("retry")}>
          Retry
        </button>
      </div>
    );
  }
  if (!isAsking.value) {
    return (
      <div class="verbs">
        <button key="ask" type="button" class="button danger" onClick={() => (isAsking.value = true)}>
          Cancel
        </button>
      </div>
    );
  }
  return (
    <div class="verbs" role="group" aria-label="Cancel this task?">
      <button key="cancel" type="button" class="button danger" disabled={busy.value} onClick={() => void act("cancel")}>
        Cancel the task
      </button>
      <button key="keep" type="button" class="button" disabled={busy.value} onClick={() => (isAsking.value = false)} ref={focusOnce}>
        Let it run
      </button>
    </div>
  );
}

const focusOnce = (button: HTMLButtonElement | null): void => button?.focus();

const TITLES: Record<Tab, string> = { details: "Details", attempts: "Attempts", logs: "Logs", error: "Error" };

function Tabs({ view, task, attempts }: { view: TaskView; task: Task; attempts: readonly Attempt[] | null }) {
  const errors = attempts?.filter((each) => each.error !== null).length ?? (task.error === null ? 0 : 1);
  const bar = useRef<HTMLElement>(null);
  useCurrentInSight(bar, view.tab);
  const counts: Record<Tab, number | null> = { details: null, attempts: task.attempt_count, logs: task.log_count, error: errors };
  return (
    <nav class="tabs" ref={bar} aria-label="Parts of this task">
      {TABS.map((tab) => (
        <a key={tab} class="tab" href={address(taskView(view.id, { tab }))} aria-current={view.tab === tab ? "page" : undefined}>
          {TITLES[tab]}
          {counts[tab] ? <span class={tab === "error" ? "count bad" : "count"}>{counts[tab]?.toLocaleString("en")}</span> : null}
        </a>
      ))}
    </nav>
  );
}

function Panel({ view, task, attempts }: { view: TaskView; task: Task; attempts: readonly Attempt[] | null }) {
  const known = attempts ?? [];
  switch (view.tab) {
    case "details":
      return <DetailsTab task={task} attempts={known} view={view} />;
    case "attempts":
      return <AttemptsTab task={task} attempts={known} view={view} />;
    case "logs":
      return <LogsTab task={task} attempts={known} view={view} />;
    case "error":
      return <ErrorTab task={task} attempts={known} view={view} />;
  }
}

function Missing({ id }: { id: string }) {
  return (
    <div class="page">
      <Empty title="This task is not kept here" level={1}>
        <p>
          No task has the id <code class="id">{visible(id)}</code>. Finished tasks are forgotten after the time that the manager's retention allows, and an id
          from another app is unknown here.
        </p>
        <p>
          <a class="button" href={address(lastList.value)}>
            Show all tasks
          </a>
        </p>
      </Empty>
    </div>
  );
}
