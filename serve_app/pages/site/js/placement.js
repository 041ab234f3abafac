// The panel laid flat, in centimetres: drag, scale and turn the print by pointer or keyboard.

import { make, replace } from "./farm.js";

const STEP_CM = 0.5;

/**
 * An editor over one panel. `changed(placement)` is called whenever the person moved the print.
 * A placement is {x_cm, y_cm, width_cm, height_cm, rotation_deg}: the box's centre and size on the panel.
 */
export class PanelEditor {
  constructor(place, changed) {
    this.place = place;
    this.changed = changed;
    this.colour = "#ffffff";
    this.design = null;
    this.placement = null;
  }

  /** `others` are further layers of this panel, shown as they lie; `fit` is how the design meets its box. */
  show({ name, panel, colour, design, placement, fit = "contain", others = [] }) {
    Object.assign(this, { name, panel, colour, design, placement, fit, others });
    this.draw();
  }

  move(placement) {
    this.placement = placement;
    this.arrange();
  }

  draw() {
    const { x_min_cm: x, y_min_cm: y, x_max_cm: right, y_max_cm: bottom } = this.panel.bounds;
    const margin = 3;
    this.svg = make("svg", {
      class: "flat",
      viewBox: `${x - margin} ${y - margin} ${right - x + 2 * margin} ${bottom - y + 2 * margin}`,
      role: "group", "aria-label": `The ${this.name.replace("_", " ")} panel, laid flat`,
    });
    const points = this.panel.outline_cm.map((point) => point.join(",")).join(" ");
    const area = this.panel.print_area;
    this.svg.append(make("polygon", { class: "cloth", points, fill: this.colour }));
    if (area) {
      this.svg.append(make("rect", {
        class: "area", x: area.x_cm, y: area.y_cm, width: area.width_cm, height: area.height_cm, rx: 0.3,
      }));
    }
    for (const { place, design } of this.others) this.svg.append(lying(place, design));
    this.print = make("g", {});
    this.svg.append(this.print);
    replace(this.place, this.svg);
    this.arrange();
  }

  arrange() {
    if (!this.print) return;
    const { placement, design } = this;
    if (!placement) {
      replace(this.print);
      return;
    }
    if (!this.box) this.build();
    if (design && this.picture.getAttribute("href") !== design.url) this.picture.setAttribute("href", design.url);
    if (!design) this.picture.removeAttribute("href");
    this.picture.setAttribute("preserveAspectRatio", RATIO[this.fit]);
    if (!this.print.contains(this.box)) replace(this.print, this.picture, this.box, this.grip);
    const left = -placement.width_cm / 2;
    const top = -placement.height_cm / 2;
    this.print.setAttribute("transform",
      `translate(${placement.x_cm} ${placement.y_cm}) rotate(${placement.rotation_deg})`);
    for (const element of [this.picture, this.box]) {
      element.setAttribute("x", left);
      element.setAttribute("y", top);
      element.setAttribute("width", placement.width_cm);
      element.setAttribute("height", placement.height_cm);
    }
    this.grip.setAttribute("cx", -left);
    this.grip.setAttribute("cy", -top);
    this.box.setAttribute("aria-valuetext",
      `${placement.width_cm.toFixed(1)} by ${placement.height_cm.toFixed(1)} centimetres, centre at ` +
      `${placement.x_cm.toFixed(1)} across and ${placement.y_cm.toFixed(1)} down`);
  }

  build() {
    this.picture = make("image");
    this.box = make("rect", {
      class: "box", tabindex: 0, role: "slider", "aria-label": "The print: arrow keys move it, plus and minus scale it, "
        + "square brackets turn it", "aria-valuenow": 0,
    });
    this.grip = make("circle", { class: "grip", r: 0.9 });
    this.box.addEventListener("pointerdown", (event) => this.drag(event, this.dragged));
    this.grip.addEventListener("pointerdown", (event) => this.drag(event, this.scaled));
    this.box.addEventListener("keydown", (event) => this.pressed(event));
  }

  at(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
    return { x: point.x, y: point.y };
  }

  drag(event, how) {
    event.preventDefault();
    const target = event.currentTarget;
    target.setPointerCapture(event.pointerId);
    const from = this.at(event);
    const before = { ...this.placement };
    const move = (moved) => this.tell(how.call(this, before, from, this.at(moved)));
    const end = () => {
      target.removeEventListener("pointermove", move);
      target.removeEventListener("pointerup", end);
      target.removeEventListener("pointercancel", end);
    };
    target.addEventListener("pointermove", move);
    target.addEventListener("pointerup", end);
    target.addEventListener("pointercancel", end);
  }

  dragged(before, from, now) {
    const snap = (value) => (Math.abs(value) < 0.4 ? 0 : value);
    return { ...before, x_cm: snap(before.x_cm + now.x - from.x), y_cm: before.y_cm + now.y - from.y };
  }

  scaled(before, from, now) {
    const reach = (point) => Math.hypot(point.x - before.x_cm, point.y - before.y_cm);
    return this.resized(before, reach(now) / Math.max(0.1, reach(from)));
  }

  resized(before, factor) {
    const shape = before.height_cm / before.width_cm;
    const width = Math.min(60, Math.max(1, before.width_cm * factor));
    return { ...before, width_cm: width, height_cm: width * shape };
  }

  pressed(event) {
    const now = this.placement;
    const step = event.shiftKey ? 0.1 : STEP_CM;
    const moves = {
      ArrowLeft: () => ({ ...now, x_cm: now.x_cm - step }),
      ArrowRight: () => ({ ...now, x_cm: now.x_cm + step }),
      ArrowUp: () => ({ ...now, y_cm: now.y_cm - step }),
      ArrowDown: () => ({ ...now, y_cm: now.y_cm + step }),
      "+": () => this.resized(now, 1.03),
      "=": () => this.resized(now, 1.03),
      "-": () => this.resized(now, 1 / 1.03),
      "[": () => ({ ...now, rotation_deg: now.rotation_deg - 1 }),
      "]": () => ({ ...now, rotation_deg: now.rotation_deg + 1 }),
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    this.tell(moves[event.key]());
  }

  tell(placement) {
    const rounded = (value) => Math.round(value * 100) / 100;
    this.placement = Object.fromEntries(Object.entries(placement).map(([name, value]) => [name, rounded(value)]));
    this.arrange();
    this.changed(this.placement);
  }
}

const RATIO = { contain: "xMidYMid meet", cover: "xMidYMid slice" };

/** Another layer, as it lies. */
function lying(place, design) {
  const box = { x: -place.width_cm / 2, y: -place.height_cm / 2, width: place.width_cm, height: place.height_cm };
  return make("g", { class: "other", transform: `translate(${place.x_cm} ${place.y_cm}) rotate(${place.rotation_deg})` },
    design && make("image", { ...box, href: design.url, preserveAspectRatio: RATIO[place.fit] ?? RATIO.contain }), make("rect", box));
}

/** A preset's box with the design fitted inside, keeping its shape. */
export function fitted(box, design) {
  const shape = design.height / design.width;
  const width = Math.min(box.width_cm, box.height_cm / shape);
  return { x_cm: box.x_cm, y_cm: box.y_cm, width_cm: width, height_cm: width * shape, rotation_deg: 0 };
}
