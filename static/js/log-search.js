// The lines of a log that hold a text. All of them where they are few; else a stretch of them around the reader, which
// grows.

/** Search for a text; the first match from line `from` on is the current one. `ask` asks the server about lines. */
export async function search(text, from, ask) {
  const found = new LogSearch(text, ask);
  await found.begin(from);
  return found;
}

class LogSearch {
  /** @param {string} text @param {(question: string) => Promise<object>} ask asks the server about lines */
  constructor(text, ask) {
    Object.assign(this, { text, ask });
    this.matches = [];
    this.current = 0;
    this.isCutBefore = this.isCutAfter = false; // there may be more on that side
    this.searched = 0; // as many lines are known
  }

  /** Finds them, and makes the first one from line `from` on the current one. */
  async begin(from) {
    const found = await this.question("");
    this.take(found);
    this.isCutAfter = found.cut;
    if (found.cut && from > (found.matches.at(-1) ?? 0)) {
      const near = await this.question(`&from=${from}`);
      this.take(near);
      this.isCutBefore = true;
      this.isCutAfter = near.cut;
    }
    this.current = this.matches.find((number) => number >= from) ?? this.matches.at(this.isCutBefore ? -1 : 0) ?? 0;
  }

  /** Goes to the next match (`by` 1), or the one before (-1). `total`: how many lines there are by now. */
  async step(by, total) {
    const place = this.matches.indexOf(this.current) + by;
    if (place >= 0 && place < this.matches.length) this.current = this.matches[place];
    else if (by > 0) await this.goOn(total);
    else await this.goBack(total);
  }

  async goOn(total) {
    if (this.isCutAfter || total > this.searched) {
      const found = await this.question(`&from=${this.current + 1}`);
      this.isCutAfter = found.cut;
      this.searched = found.searched;
      if (found.matches.length) {
        this.matches.push(...found.matches);
        this.current = found.matches[0];
        return;
      }
    }
    if (this.isCutBefore) {
      this.take(await this.question(""));
      this.isCutBefore = false;
      this.isCutAfter = true;
    }
    this.current = this.matches[0] ?? 0; // round
  }

  async goBack(total) {
    if (this.isCutBefore && (await this.fetchBefore(this.current))) return;
    if (this.isCutAfter && (await this.fetchBefore(total + 1))) this.isCutAfter = false;
    this.current = this.matches.at(-1) ?? 0; // round
  }

  async fetchBefore(line) {
    const found = await this.question(`&before=${line}`);
    this.isCutBefore = found.cut;
    if (!found.matches.length) return false;
    this.matches = line === this.current ? [...found.matches, ...this.matches] : found.matches;
    this.current = found.matches.at(-1);
    return true;
  }

  question(more) {
    return this.ask(`q=${encodeURIComponent(this.text)}${more}`);
  }

  take(found) {
    this.matches = found.matches;
    this.searched = found.searched;
  }

  describe() {
    const count = this.matches.length.toLocaleString("en");
    if (this.isCutBefore || this.isCutAfter)
      return this.current ? `${count}+ matches` : `None in the first ${this.searched.toLocaleString("en")} lines`;
    return this.current ? `${(this.matches.indexOf(this.current) + 1).toLocaleString("en")} of ${count}` : "No match";
  }
}
