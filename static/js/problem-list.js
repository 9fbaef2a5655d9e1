// The list of problems beside the editor: what the server rendered, then what it says after each saving.

import { showTicked } from "./ticked.js";

const PLACES = { code: "", requirements: "requirements ", python_version: "Python " };
const SEVERITIES = { error: ["✗", "error"], warning: ["▲", "warning"] };

export class ProblemList {
  /** @param {HTMLElement} element holds [data-list], [data-count] and [data-none]; `choose` is told which one was chosen */
  constructor(element, choose) {
    this.list = element.querySelector("[data-list]");
    this.count = element.querySelector("[data-count]");
    this.none = element.querySelector("[data-none]");
    this.choose = choose;
    this.problems = [...this.list.children].map(({ dataset }) => ({
      field: dataset.field,
      line: Number(dataset.line),
      column: Number(dataset.column),
      end_line: Number(dataset.endLine),
      end_column: Number(dataset.endColumn),
      code: dataset.code,
      message: dataset.message,
      severity: dataset.severity,
    }));
    this.show(this.problems);
  }

  of(field) {
    return this.problems.filter((problem) => (problem.field ?? "code") === field);
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
    const [sign, severity] = SEVERITIES[problem.severity] ?? SEVERITIES.warning;
    const button = part("button", "problem");
    button.type = "button";
    const mark = part("span", `problem-sign is-${severity}`, sign);
    mark.setAttribute("aria-hidden", "true");
    const place = `${PLACES[problem.field ?? "code"] ?? ""}${problem.line}:${problem.column}`;
    const message = part("span", "problem-message");
    message.append(part("span", "visually-hidden", `${severity}, `), said(problem.message), " ");
    message.append(part("span", "problem-place", [place, problem.code].filter(Boolean).join(" ")));
    button.append(mark, message);
    button.addEventListener("click", () => this.choose({ ...problem, field: problem.field ?? "code" }));
    const row = document.createElement("li");
    row.append(button);
    return row;
  }
}

function said(sentence) {
  const element = document.createElement("bdi");
  showTicked(element, sentence);
  return element;
}

function part(tag, className, text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}
