/** The list of tasks: figures that are filters, and a row a task. */

import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import { call, count, duration, NOTHING, oneLine, percent, visible } from "../format";
import { isFinal, shown, STATUSES, type Task } from "../model";
import { address, go, hasMore, holdList, isReading, lastList, lastOpened, listing, listIsRead, listProblem, listWindow, now, readListAgain, showMore, tasks } from "../state";
import { names } from "../store";
import { EVERYTHING, isUnfiltered, type ListView, tagText, taskView } from "../url";
import { dueIn, WORDS } from "../words";
import { Ago, Empty, ProblemBox, Status, StatusMark, Tag, useCurrentInSight } from "./parts";

export function ListPage() {
  const list = lastList.value;
  const { tasks: rows, held } = listing.value;
  useHold();
  useReturn();
  return (
    <div class="page">
      <h1 class="hidden">Tasks</h1>
      <Filters list={list} />
      {listProblem.value ? <ProblemBox problem={listProblem.value} retry={readListAgain} /> : null}
      {rows.length > 0 ? <Table rows={rows} /> : <NothingHere list={list} />}
      <More />
      {held > 0 ? (
        <button type="button" class="button primary pill" onClick={() => scrollTo({ top: 0 })}>
          {count(held)} new ↑
        </button>
      ) : null}
    </div>
  );
}

/** Rows must not slide away from under somebody who reads further down. */
function useHold() {
  useEffect(() => {
    const hold = () => holdList(scrollY > 80);
    addEventListener("scroll", hold, { passive: true });
    return () => {
      removeEventListener("scroll", hold);
      holdList(false);
    };
  }, []);
}

/** Back from a task, its row has the focus and is where it was. */
function useReturn() {
  useLayoutEffect(() => {
    const row = lastOpened.peek();
    const link = row === null ? null : document.getElementById(`task-${row}`);
    link?.focus({ preventScroll: true });
    link?.scrollIntoView({ block: "center" });
  }, []);
}

function Filters({ list }: { list: ListView }) {
  const bar = useRef<HTMLElement>(null);
  useCurrentInSight(bar, list.status);
  const metrics = tasks.value.metrics;
  const finished = metrics ? metrics.success + metrics.failed + metrics.interrupted : 0;
  return (
    <section class="filters" aria-label="Filters">
      <nav class="states" ref={bar} aria-label="State">
        <a class="state" href={address({ ...list, status: null })} aria-current={list.status === null ? "true" : undefined}>
          All <b>{metrics ? count(metrics.total) : ""}</b>
        </a>
        {STATUSES.map((status) => (
          <a key={status} class={`state state-${status}`} href={address({ ...list, status })} aria-current={list.status === status ? "true" : undefined}>
            <StatusMark status={status} />
            {WORDS[status]} <b class={metrics?.[status] === 0 ? "none" : ""}>{metrics ? count(metrics[status]) : ""}</b>
          </a>
        ))}
      </nav>
      <div class="narrow">
        <NameFilter list={list} />
        {list.tag !== null ? <Removable text={list.tag} without={{ ...list, tag: null }} /> : null}
        {list.trace !== null ? <Removable text={`trace ${list.trace}`} without={{ ...list, trace: null }} /> : null}
        {metrics ? (
          <dl class="figures">
            <div title="Share of the finished tasks that succeeded; cancelled ones not counted">
              <dt>Succeeded</dt>
              <dd>{finished ? percent(metrics.success / finished) : NOTHING}</dd>
            </div>
            <div title="Mean time from first start to end, retries and waits included">
              <dt>Mean duration</dt>
              <dd>{finished ? duration(metrics.avg_duration_seconds) : NOTHING}</dd>
            </div>
          </dl>
        ) : null}
      </div>
    </section>
  );
}

function Removable({ text, without }: { text: string; without: ListView }) {
  return (
    <a class="chip removable" href={address(without)} title="Remove this filter">
      <span class="chip-value">{visible(text)}</span> <span aria-hidden="true">×</span>
    </a>
  );
}

/** What is being typed is the input's own: a list that is drawn again does not take it back. */
function NameFilter({ list }: { list: ListView }) {
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    if (input.current) input.current.value = list.name ?? "";
  }, [list.name]);
  const submit = () => {
    const name = input.current?.value.trim() || null;
    if (name !== list.name) go({ ...list, name });
  };
  return (
    <form
      class="name-filter"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <label class="hidden" for="name-filter">
        Task name
      </label>
      <input ref={input} id="name-filter" type="search" placeholder="Task name" list="names" onChange={submit} autocomplete="off" spellcheck={false} />
      <datalist id="names">
        {names(tasks.value).map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </form>
  );
}

function Table({ rows }: { rows: readonly Task[] }) {
  return (
    <div class="tasks" role="table" aria-label="Tasks, newest first" aria-busy={isReading.value}>
      <div class="task-row task-head" role="row">
        <span role="columnheader">State</span>
        <span role="columnheader">Task</span>
        <span role="columnheader">Tags</span>
        <span role="columnheader" class="number">
          Attempts
        </span>
        <span role="columnheader" class="number">
          Duration
        </span>
        <span role="columnheader" class="number">
          Added
        </span>
      </div>
      {rows.map((task) => (
        <Row key={task.task_id} task={task} />
      ))}
    </div>
  );
}

function Row({ task }: { task: Task }) {
  return (
    <div class={`task-row is-${task.status}`} role="row">
      <span role="cell" class="cell-state">
        <Status status={shown(task)} />
      </span>
      <span role="cell" class="cell-name">
        <a class="row-link" id={`task-${task.task_id}`} href={address(taskView(task.task_id))}>
          {visible(task.func_name)}
        </a>
        <Remark task={task} />
      </span>
      <span role="cell" class="cell-tags">
        {Object.entries(task.tags).map(([name, value]) => (
          <Tag key={name} name={name} value={value} href={address({ ...EVERYTHING, tag: tagText(name, value) })} />
        ))}
      </span>
      <span role="cell" class="number cell-attempts">
        <AttemptCount task={task} />
      </span>
      <span role="cell" class="number cell-duration">
        <Duration task={task} />
      </span>
      <span role="cell" class="number muted cell-added">
        <Ago iso={task.created_at} />
      </span>
    </div>
  );
}

/** What distinguishes this call from others of its name: its error, else its arguments. */
function Remark({ task }: { task: Task }) {
  if (task.error !== null && task.status !== "success") return <span class="remark bad">{oneLine(task.error)}</span>;
  const text = call(task.args, task.kwargs);
  return text ? <span class="remark code">{visible(text)}</span> : null;
}

function AttemptCount({ task }: { task: Task }) {
  if (task.attempt_count === 0) return <span class="muted">{NOTHING}</span>;
  return (
    <span class={task.attempt_count > 1 ? "" : "muted"} title={`${task.attempt_count} of at most ${task.max_attempts}`}>
      {task.attempt_count}
      <span class="muted"> / {task.max_attempts}</span>
    </span>
  );
}

/** A running task's time goes on; a waiting one says for what it waits. */
export function Duration({ task }: { task: Task }) {
  if (task.start_time === null || (isFinal(task.status) && task.duration === null)) return <span class="muted">{NOTHING}</span>;
  if (task.duration !== null) return <span>{duration(task.duration)}</span>;
  if (task.waiting_until !== null) return <span class="muted">{dueIn(task, now.value).replace("starts ", "")}</span>;
  const seconds = Math.max(0, Math.floor((now.value - Date.parse(task.start_time)) / 1000));
  return <span class="going">{seconds === 0 ? "< 1 s" : seconds < 60 ? `${seconds} s` : duration(seconds)}</span>;
}

function More() {
  if (!hasMore.value || listing.value.tasks.length === 0) return null;
  return (
    <div class="more">
      <button type="button" class="button" disabled={isReading.value} onClick={() => void showMore()}>
        {isReading.value ? "Loading …" : "Show more"}
      </button>
      <span class="muted">{count(Math.min(listing.value.tasks.length, listWindow.value.limit))} shown</span>
    </div>
  );
}

function NothingHere({ list }: { list: ListView }) {
  if (listProblem.value) return null;
  if (!listIsRead.value) return <div class="empty muted">Loading …</div>;
  if (!isUnfiltered(list)) {
    return (
      <Empty title="No task matches">
        <p>None of the tasks kept here is {visible(describe(list))}.</p>
        <p>
          <a class="button" href={address(EVERYTHING)}>
            Show all tasks
          </a>
        </p>
      </Empty>
    );
  }
  return (
    <Empty title="No tasks yet">
      <p>Add one in a route of your app and send it a request; it appears here at once.</p>
      <pre class="code sample">{SAMPLE}</pre>
    </Empty>
  );
}

function describe(list: ListView): string {
  const parts = [list.status, list.name && `called ${list.name}`, list.tag && `tagged ${list.tag}`, list.trace && `in the trace ${list.trace}`];
  return parts.filter(Boolean).join(" and ");
}

const SAMPLE = `@task_manager.task(retries=3, delay=1.0)
def send_email(address: str) -> None:
    task_log("Sending", address=address)

@app.post("/signup")
def signup(address: str, tasks = Depends(task_manager.get_tasks)):
    return {"task_id": tasks.add_task(send_email, address)}`;
