// The list of problems beside the editor: what the server rendered, then what it says after each saving.

import { showInlineCode } from "../lib/inline-code.js";

const PLACES = { code: "", requirements: "requirements ", python_version: "Python " };
const SIGNS = { error: "✗", security: "!", warning: "▲" };

/** Those that whoever presses Run is asked about; none where Python cannot read the code, as that is refused anyway. */
export function doubtful(problems) {
  if (problems.some(({ code }) => code === "syntax")) return [];
  return problems.filter(({ field, severity }) => field === "code" && severity !== "warning");
}

export class ProblemList {
  /**
   * @param {HTMLElement} element holds [data-list], [data-count] and [data-none]
   * @param {{choose: (problem: object) => void, fix: (fix: object) => void, add: (lines: string[]) => void}} on
   *   what was pressed
   */
  constructor(element, on) {
    this.list = element.querySelector("[data-list]");
    this.count = element.querySelector("[data-count]");
    this.none = element.querySelector("[data-none]");
    this.on = on;
    this.show([...this.list.children].map(({ dataset }) => JSON.parse(dataset.problem)));
  }

  of(field) {
    return this.problems.filter((problem) => problem.field === field);
  }

  show(problems) {
    this.problems = problems;
    this.list.replaceChildren(...problems.map((problem) => this.row(problem)));
    this.list.hidden = problems.length === 0;
    this.none.hidden = problems.length > 0;
    this.count.textContent = problems.length || "";
    this.count.hidden = problems.length === 0;
  }

  row(problem) {
    const button = part("button", "problem");
    button.type = "button";
    const mark = part("span", `problem-sign is-${problem.severity}`, SIGNS[problem.severity]);
    mark.setAttribute("aria-hidden", "true");
    const place = `${PLACES[problem.field]}${problem.line}:${problem.column}`;
    const message = part("span", "problem-message");
    message.append(part("span", "visually-hidden", `${problem.severity}, `), said("bdi", problem.message), " ");
    message.append(part("span", "problem-place", [place, problem.code].filter(Boolean).join(" ")));
    if (problem.why) message.append(said("span", problem.why, "problem-why"));
    button.append(mark, message);
    button.addEventListener("click", () => this.on.choose(problem));
    const row = document.createElement("li");
    row.append(button, ...this.acts(problem));
    return row;
  }

  acts({ is_secret: isSecret, fix, adds }) {
    const acts = part("span", "problem-acts");
    if (isSecret) acts.append(Object.assign(part("a", "", "Make it a secret"), { href: this.list.dataset.variables }));
    if (fix) acts.append(act("Fix", fix.message.replaceAll("`", ""), () => this.on.fix(fix)));
    if (adds.length) {
      const name = adds.at(-1);
      acts.append(act(`Add ${name}`, `Add ${name} to the requirements`, () => this.on.add(adds)));
    }
    return acts.childElementCount ? [acts] : [];
  }
}

function act(words, title, act) {
  const button = Object.assign(part("button", "button is-small", words), { type: "button", title });
  button.addEventListener("click", act);
  return button;
}

function said(tag, sentence, className = "") {
  const element = part(tag, className);
  showInlineCode(element, sentence);
  return element;
}

function part(tag, className, text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}
