// One question at a time, and of those that come meanwhile the last: nothing queues up behind a hand that moves.

/** Calls `work(what)` for what was asked last, once the call before has ended. `work` says its own faults. */
export class Latest {
  constructor(work) {
    this.work = work;
    this.waiting = undefined;
    this.busy = false;
  }

  async ask(what) {
    this.waiting = what;
    if (this.busy) return;
    this.busy = true;
    try {
      while (this.waiting !== undefined) {
        const next = this.waiting;
        this.waiting = undefined;
        await this.work(next);
      }
    } finally {
      this.busy = false;
    }
  }

  /** What waits is not wanted any more. */
  drop() {
    this.waiting = undefined;
  }
}

const SIZES_PX = [512, 384, 256];
const SLOW_MS = 190; // five pictures a second
const QUICK_MS = 70;

/** How large a picture may be while something is dragged: as large as this farm, over this line, makes five of a second. */
export class Pace {
  constructor() {
    this.at = 0;
    this.slow = 0;
  }

  get size() {
    return SIZES_PX[this.at];
  }

  /** A picture of that size took so long; two slow ones one after the other count, a single one may be chance. */
  took(size, ms) {
    if (size !== this.size) return;
    this.slow = ms > SLOW_MS ? this.slow + 1 : 0;
    if (this.slow > 1 && this.at < SIZES_PX.length - 1) this.step(1);
    else if (ms < QUICK_MS && this.at > 0) this.step(-1);
  }

  step(by) {
    this.at += by;
    this.slow = 0;
  }
}
