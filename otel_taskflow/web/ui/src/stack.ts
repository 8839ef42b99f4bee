/** A Python traceback as a list of frames. What is not understood stays text. Pure. */

import { plural } from "./format";

export interface Frame {
  readonly file: string;
  readonly line: number;
  readonly name: string;
  readonly source: string[];
  /** False for the standard library and installed packages. */
  readonly own: boolean;
}

/** One exception of a chain, outermost cause first, as Python prints them. One that was never raised has no frames. */
export interface Section {
  /** Why this follows the one before, e.g. `During handling of the above exception, ...`, or how much is left out before it. */
  readonly link: string | null;
  readonly frames: Frame[];
  /** The exception itself, `Type: message`, maybe over several lines. */
  readonly conclusion: string;
}

const FRAME = /^\s*(?:\| )?\s*File "(.+?)", line (\d+)(?:, in (.+))?$/;
const HEADER = "Traceback (most recent call last):";
const LINK = /^(The above exception was the direct cause|During handling of the above exception)/;
const FOREIGN = /[\\/](site-packages|dist-packages|lib[\\/]python\d[\d.]*)[\\/]|^<frozen |[\\/]lib[\\/]python3/;

/** Stands alone in a line where the middle of a long text was left out; the number is the whole text's. */
const CUT = /^…\[cut: (\d+) characters\]$/m;

/** Frames by exception; null if the text has none, and is to be shown as it is. */
export function parseStack(text: string): Section[] | null {
  // Groups of exceptions are drawn as a tree with bars: their text says more than a list of frames could.
  if (/^\s*[+|] /m.test(text)) return null;
  const sections: Section[] = [];
  const cut = CUT.exec(text);
  if (cut === null) {
    addChain(sections, text);
  } else {
    const head = text.slice(0, Math.max(0, cut.index - 1));
    const tail = text.slice(cut.index + cut[0].length + 1);
    addChain(sections, withoutTornEnd(head));
    addRest(sections, tail, `${plural(Number(cut[1]) - characters(head) - characters(tail), "character is", "characters are")} left out here.`);
  }
  return sections.some((each) => each.frames.length > 0) ? sections : null;
}

/** As Python counts them. */
const characters = (text: string): number => [...text].length;

function addChain(sections: Section[], text: string): void {
  let link: string | null = null;
  for (const block of text.split(/\n\n/)) {
    const first = block.split("\n", 1)[0] ?? "";
    if (LINK.test(first)) {
      link = block.trim();
    } else if (first.startsWith(HEADER)) {
      sections.push(section(block.split("\n").slice(1), link));
      link = null;
    } else {
      addText(sections, block, link);
      link = null;
    }
  }
}

/** A message may have empty lines of its own; what stands first, or behind a link, is an exception without frames. */
function addText(sections: Section[], block: string, link: string | null): void {
  const last = link === null ? sections.pop() : undefined;
  if (last) sections.push({ ...last, conclusion: `${last.conclusion}\n\n${block}`.trimEnd() });
  else if (block.trim()) sections.push({ link, frames: [], conclusion: block.trimEnd() });
}

/** A line of a frame that ends early says nothing; the begin of a message does. */
const withoutTornEnd = (head: string): string => head.replace(/\n\s[^\n]*$/, "");

/** What follows the part that was left out: whole frames and the end of the exception that they belong to, then the rest. */
function addRest(sections: Section[], tail: string, link: string): void {
  const [block = "", ...others] = tail.split(/\n\n/);
  const lines = block.split("\n");
  const isOfFrames = lines.slice(1).some((line) => FRAME.test(line));
  sections.push(section(isOfFrames ? lines.slice(lines.findIndex((line, index) => index > 0 && FRAME.test(line))) : lines, link));
  addChain(sections, others.join("\n\n"));
}

function section(lines: string[], link: string | null): Section {
  const frames: Frame[] = [];
  const conclusion: string[] = [];
  for (const line of lines) {
    const match = FRAME.exec(line);
    const current = frames.at(-1);
    if (match && conclusion.length === 0) frames.push(frame(match));
    else if (current && conclusion.length === 0 && /^\s/.test(line)) current.source.push(line);
    else conclusion.push(line);
  }
  return { link, frames, conclusion: conclusion.join("\n").trimEnd() };
}

function frame(match: RegExpExecArray): Frame {
  const file = match[1] ?? "";
  return { file, line: Number(match[2]), name: match[3] ?? "", source: [], own: !FOREIGN.test(file) };
}

/** Frames with runs of foreign ones taken together. */
export type Piece = { readonly own: true; readonly frame: Frame } | { readonly own: false; readonly frames: Frame[] };

/** One's own frames stand alone, the others are folded; the last frame is always seen, for that is where it happened. */
export function fold(frames: readonly Frame[]): Piece[] {
  const pieces: Piece[] = [];
  frames.forEach((each, index) => {
    const last = pieces.at(-1);
    if (each.own || index === frames.length - 1) pieces.push({ own: true, frame: each });
    else if (last && !last.own) last.frames.push(each);
    else pieces.push({ own: false, frames: [each] });
  });
  return pieces;
}
