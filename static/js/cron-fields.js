// A box for each field of a cron line, in step with the line itself. The line is what is sent; the boxes have no names.

const BLANKS = /[ \t]+/;

export class CronFields {
  constructor(pane, line) {
    this.line = line;
    this.boxes = [...pane.querySelectorAll("[data-boxes] input")]; // second, minute, hour, day, month, weekday
    this.second = pane.querySelector("[data-second]");
    this.withSeconds = pane.querySelector("[data-with-seconds] input");
    pane.querySelector("[data-boxes]").hidden = false;
    pane.querySelector("[data-with-seconds]").hidden = false;
    line.addEventListener("input", () => this.read());
    for (const box of this.boxes) box.addEventListener("input", () => this.write());
    this.withSeconds.addEventListener("change", () => this.switchSeconds());
    this.read(pane.querySelector("[data-boxes]").dataset.fields || line.value);
  }

  /** From the line to the boxes, which stay as they are while it is half typed; `text` has `@daily` written out. */
  read(text = this.line.value) {
    const fields = text.trim().split(BLANKS);
    if (fields.length !== 5 && fields.length !== 6) return;
    const six = fields.length === 5 ? ["", ...fields] : fields;
    this.boxes.forEach((box, index) => (box.value = six[index]));
    this.showSecond(fields.length === 6);
  }

  // From the boxes to the line; an empty box is any time, an empty second is the first one.
  write() {
    const [second, ...others] = this.boxes.map((box) => box.value.trim().replaceAll(/[ \t]+/g, ""));
    const fields = others.map((value) => value || "*");
    this.line.value = (this.withSeconds.checked ? [second || "0", ...fields] : fields).join(" ");
  }

  switchSeconds() {
    this.showSecond(this.withSeconds.checked);
    if (this.withSeconds.checked) this.boxes[0].value ||= "0";
    this.write();
    this.line.dispatchEvent(new Event("input", { bubbles: true })); // the box itself was heard before the line changed
  }

  showSecond(isShown) {
    this.withSeconds.checked = isShown;
    this.second.hidden = !isShown;
  }
}
