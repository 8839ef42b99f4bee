/** Errors: each attempt's own message and stack trace, one's own frames first. */

import { useSignal } from "@preact/signals";

import { oneLine, plural, visible } from "../format";
import type { Attempt, Task } from "../model";
import { address } from "../state";
import { fold, type Frame, parseStack, type Piece, type Section } from "../stack";
import { type TaskView, taskView } from "../url";
import { Copy, Empty, Moment, Outcome } from "./parts";

interface Properties {
  task: Task;
  attempts: readonly Attempt[];
  view: TaskView;
}

export function ErrorTab({ task, attempts, view }: Properties) {
  const failed = attempts.filter((each) => each.error !== null).reverse();
  if (failed.length === 0 && task.error === null) {
    return (
      <Empty title="No error">
        <p>No attempt has raised an exception. If one does, its message and stack trace stay here, also when a later attempt succeeds.</p>
      </Empty>
    );
  }
  if (failed.length === 0) {
    return (
      <section class="card">
        <ErrorText type={null} message={task.error ?? ""} stack={task.stacktrace} />
      </section>
    );
  }
  const open = failed.find((each) => each.attempt_number === view.attempt) ?? failed[0];
  return (
    <div class="column">
      {failed.map((attempt) => (
        <AttemptError key={attempt.attempt} attempt={attempt} view={view} isOpen={attempt === open} />
      ))}
    </div>
  );
}

function AttemptError({ attempt, view, isOpen }: { attempt: Attempt; view: TaskView; isOpen: boolean }) {
  return (
    <details class="card error-of" open={isOpen}>
      <summary>
        <span class="summary-name">Attempt {attempt.attempt_number}</span>
        <Outcome status={attempt.status} />
        <span class="summary-error">
          {visible(attempt.error_type ?? "")}
          <span class="muted"> {oneLine(attempt.error ?? "")}</span>
        </span>
      </summary>
      <ErrorText type={null} message={attempt.error ?? ""} stack={attempt.stacktrace} />
      <p class="error-end muted">
        <Moment iso={attempt.end_time} />
        <a href={address(taskView(view.id, { tab: "logs", attempt: attempt.attempt_number }))}>Log of this attempt</a>
      </p>
    </details>
  );
}

export function ErrorText({ type, message, stack }: { type: string | null; message: string; stack: string | null }) {
  return (
    <div class="error-text">
      <p class="message">
        {type ? <strong>{visible(type)}: </strong> : null}
        {message ? visible(message) : <span class="muted">The exception has no message.</span>}
      </p>
      {stack ? <Stack text={stack} /> : null}
    </div>
  );
}

function Stack({ text }: { text: string }) {
  const full = useSignal(false);
  const sections = parseStack(text);
  const isFull = full.value || sections === null;
  return (
    <details class="stack" open>
      <summary>Stack trace</summary>
      <div class="stack-tools">
        {sections ? (
          <div class="segments" role="group" aria-label="Frames">
            <button type="button" aria-pressed={!isFull} onClick={() => (full.value = false)}>
              Application
            </button>
            <button type="button" aria-pressed={isFull} onClick={() => (full.value = true)}>
              Full
            </button>
          </div>
        ) : null}
        <Copy text={text} what="stack trace" />
      </div>
      {isFull || sections === null ? (
        <pre class="code stack-text" tabIndex={0}>
          {visible(text)}
        </pre>
      ) : (
        sections.map((section, index) => <SectionView key={index} section={section} />)
      )}
    </details>
  );
}

function SectionView({ section }: { section: Section }) {
  return (
    <>
      {section.link ? <p class="stack-link">{visible(section.link)}</p> : null}
      {section.frames.length > 0 ? (
        <ol class="frames">
          {fold(section.frames).map((piece, index) => (
            <PieceView key={index} piece={piece} />
          ))}
        </ol>
      ) : null}
      {section.conclusion ? <p class="conclusion code">{visible(section.conclusion)}</p> : null}
    </>
  );
}

function PieceView({ piece }: { piece: Piece }) {
  const open = useSignal(false);
  if (piece.own) return <FrameView frame={piece.frame} />;
  if (open.value) {
    return (
      <>
        {piece.frames.map((frame, index) => (
          <FrameView key={index} frame={frame} />
        ))}
      </>
    );
  }
  return (
    <li class="folded">
      <button type="button" class="button quiet" onClick={() => (open.value = true)}>
        {plural(piece.frames.length, "library frame")}
      </button>
    </li>
  );
}

function FrameView({ frame }: { frame: Frame }) {
  const split = Math.max(frame.file.lastIndexOf("/"), frame.file.lastIndexOf("\\")) + 1;
  return (
    <li class={frame.own ? "frame" : "frame foreign"}>
      <p class="frame-place" title={frame.file}>
        <b>{visible(frame.name) || "?"}</b>
        <span class="frame-file">
          <span class="muted">{frame.file.slice(0, split)}</span>
          {frame.file.slice(split)}:{frame.line}
        </span>
      </p>
      {frame.source.length > 0 ? <pre class="code">{visible(dedent(frame.source))}</pre> : null}
    </li>
  );
}

/** Without the indentation that all lines share. */
function dedent(lines: readonly string[]): string {
  const shared = Math.min(...lines.map((line) => line.length - line.trimStart().length));
  return lines.map((line) => line.slice(shared)).join("\n");
}
