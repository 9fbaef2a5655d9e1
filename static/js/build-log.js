// The output of the build that a script's environment is waiting for, shown beside the editor.

import { consoleOf } from "./elements/console-drawer.js";

export class BuildLog {
  /** @param {HTMLElement} editor holds [data-build-log] and, while there is a build, [data-build-run] */
  constructor(editor) {
    this.editor = editor;
    this.shown = undefined;
  }

  async show() {
    const run = this.editor.querySelector("[data-build-run]")?.dataset.buildRun ?? "";
    if (run === this.shown) return;
    this.shown = run;
    const view = run ? await this.consoleOf(run) : null;
    if (run === this.shown) this.editor.querySelector("[data-build-log]").replaceChildren(...(view ? [view] : []));
  }

  async consoleOf(run) {
    try {
      return await consoleOf(run);
    } catch (error) {
      console.warn("the build's output is not shown here:", error);
      return null;
    }
  }
}
