// The layers of a print as a request has them, from the bottom up. Values alone; nothing here touches the page.

export const PANELS = { front: "Front", back: "Back", sleeve_left: "Left sleeve", sleeve_right: "Right sleeve" };

/** What a layer has besides its place, unless it says otherwise. */
const PLAIN = { fit: "contain", blend: "normal", opacity: 1, underbase: true, design: 0 };

/** A layer at a place: {panel, x_cm, y_cm, width_cm, height_cm, rotation_deg}. */
export function layerOf(panel, place) {
  return { panel, ...PLAIN, ...place };
}

/** A layer's height: its own, or as its design's shape has it; unknown shapes count as square. */
export function heightOf(layer, design) {
  if (layer.height_cm !== null && layer.height_cm !== undefined) return layer.height_cm;
  return layer.width_cm * (design ? design.height / design.width : 1);
}

const number = (value) => String(Math.round(value * 10) / 10);

/** A layer in one line. */
export function layerWords(layer) {
  const height = layer.height_cm ? ` × ${number(layer.height_cm)} cm` : " cm wide";
  return [
    `${PANELS[layer.panel] ?? layer.panel}: ${number(layer.width_cm)}${height} at ${number(layer.x_cm)} across, ${number(layer.y_cm)} down`,
    layer.rotation_deg && `turned ${number(layer.rotation_deg)}°`, ...ways(layer), layer.design > 0 && `design ${layer.design + 1}`,
  ].filter(Boolean).join(", ");
}

/** What is said of a layer that cannot be changed with the mouse. */
export function ways(layer) {
  return [
    layer.fit === "cover" && "covering its box", layer.blend && layer.blend !== "normal" && layer.blend,
    layer.opacity < 1 && `${Math.round(100 * layer.opacity)} % ink`, layer.underbase === false && "no underbase",
  ].filter(Boolean);
}

/** The members of a request that the form has no field for, where they are not what they are by themselves. */
const BESIDE = {
  media: ["replace", () => "the product's earlier pictures stay"],
  aspect: ["1:1", (value) => `shape ${value}`],
  shadow: ["none", (value) => `${value} shadow`],
  priority: [0, (value) => `priority ${value}`],
  saga: ["granular", (value) => `saga ${value}`],
};
const SAMPLES = { draft: 8, standard: 16, high: 64 };

/** The same members as they are by themselves: a job that is made again has them of the old one, unless it is told. */
export const USUAL = Object.fromEntries(Object.entries(BESIDE).map(([name, [usual]]) => [name, usual]));

/** Of a job's request, what the form cannot show: the members to be sent along, and each in words. */
export function besideForm(request) {
  const members = {};
  const words = [];
  for (const [name, [usual, say]] of Object.entries(BESIDE)) {
    if (request[name] === undefined || request[name] === usual) continue;
    members[name] = request[name];
    words.push(say(request[name]));
  }
  if (request.samples !== undefined && request.samples !== SAMPLES[request.quality]) {
    members.samples = request.samples;
    words.push(`${request.samples} samples`);
  }
  return { members, words };
}

/** Whether a point of a panel is cloth: inside its outline, by the even-odd rule. */
function isCloth(panel, x, y) {
  let inside = false;
  let [beforeX, beforeY] = panel.outline_cm.at(-1);
  for (const [nowX, nowY] of panel.outline_cm) {
    if ((nowY > y) !== (beforeY > y) && x < (beforeX - nowX) * (y - nowY) / (beforeY - nowY) + nowX) inside = !inside;
    [beforeX, beforeY] = [nowX, nowY];
  }
  return inside;
}

/** How much of a print lies on the cloth: "all", "part" or "none"; looked at as the farm itself looks. */
export function onCloth(panel, layer, design) {
  if (!panel?.outline_cm?.length) return "all";
  let { width_cm: width } = layer;
  let height = heightOf(layer, design);
  if (design && layer.fit !== "cover") {
    const scale = Math.min(width / design.width, height / design.height);
    [width, height] = [design.width * scale, design.height * scale];
  }
  const turn = (layer.rotation_deg * Math.PI) / 180;
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  let found = 0;
  for (let i = 0; i <= 16; i += 1) {
    for (let j = 0; j <= 16; j += 1) {
      const [across, down] = [(i / 16 - 0.5) * width, (j / 16 - 0.5) * height];
      if (isCloth(panel, layer.x_cm + across * cos - down * sin, layer.y_cm + across * sin + down * cos)) found += 1;
    }
  }
  if (found === 17 * 17) return "all";
  if (found > 0) return "part";
  const within = ([x, y]) => {
    const [across, down] = [x - layer.x_cm, y - layer.y_cm];
    return Math.abs(across * cos + down * sin) <= width / 2 && Math.abs(down * cos - across * sin) <= height / 2;
  };
  return panel.outline_cm.some(within) ? "part" : "none";
}
