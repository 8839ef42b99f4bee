/**
 * JSON with whole numbers of any size. JavaScript's own reader rounds those beyond 2^53; here they are a `bigint`, so that
 * what a task was given is shown digit by digit. Pure.
 */

/** Sixteen digits where a value can begin: maybe too large. Most texts have none, and are read as ever. */
const MAYBE_LARGE = /(?:^|[[,:])\s*-?\d{16}/;
/** Texts, with the colon behind them if they are keys, and numbers. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
/** On the way a large number is a text behind this mark, and a text that begins with the mark has it twice. */
const MARK = "~";
const MARKED = /^"(?:~|\\u007e)/i;

/** What the text says. Throws a SyntaxError where it is no JSON. */
export function parse(text: string): unknown {
  if (!MAYBE_LARGE.test(text)) return JSON.parse(text);
  return JSON.parse(text.replace(TOKEN, marked), (_, value: unknown) => (isMarked(value) ? unmarked(value) : value));
}

function marked(token: string, colon?: string): string {
  if (colon !== undefined) return token;
  if (token.startsWith('"')) return MARKED.test(token) ? `"${MARK}${token.slice(1)}` : token;
  return /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${MARK}${token}"` : token;
}

const isMarked = (value: unknown): value is string => typeof value === "string" && value.startsWith(MARK);

const unmarked = (value: string): string | bigint => (value.startsWith(MARK, 1) ? value.slice(1) : BigInt(value.slice(1)));

/** The value as JSON, large numbers digit by digit; `indent` as for `JSON.stringify`. Empty for what has no JSON. */
export function write(value: unknown, indent?: number): string {
  let hasMarks = false;
  const text = JSON.stringify(
    value,
    (_, each: unknown) => {
      if (typeof each !== "bigint" && !isMarked(each)) return each;
      hasMarks = true;
      return `${MARK}${each}`;
    },
    indent,
  ) as string | undefined;
  return hasMarks && text ? text.replace(TOKEN, written) : (text ?? "");
}

function written(token: string, colon?: string): string {
  if (colon !== undefined || !token.startsWith(`"${MARK}`)) return token;
  return token.startsWith(MARK, 2) ? `"${token.slice(2)}` : token.slice(2, -1);
}
