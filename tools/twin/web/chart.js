// The live chart: power above, currents of the cars below, the same up to five minutes of time.
const SPAN_MS = 300000;
const MIN_SPAN_MS = 60000;
const GAP = { left: 38, right: 8, top: 20, between: 40, bottom: 22 };

function fromState(state) {
  const row = { t_ms: state.t_ms, contact: Object.values(state.contacts).some(Boolean), boxes: {} };
  row.house_w = state.load_w.reduce((a, b) => a + b, 0);
  row.pv_w = state.pv_w;
  row.battery_w = state.battery.power_w;
  row.meters = Object.fromEntries(Object.entries(state.meters).map(([id, m]) => [id, m.power_w]));
  for (const [id, box] of Object.entries(state.wallboxes)) {
    row.boxes[id] = { ma: Math.max(...box.current_ma), setpoint_ma: box.setpoint_ma,
      power_w: box.power_w, phases: state.cars[id].phases };
  }
  return row;
}

function fromRecord(record, boxes, meter) {
  const row = { t_ms: record.t_ms, house_w: record.house_w, pv_w: record.pv_w,
    battery_w: record.battery_w, boxes: {},
    meters: { [meter]: record[`${meter}_power_w`] },
    contact: Object.keys(record).some((key) => key.startsWith("contact") && record[key]) };
  for (const id of boxes) {
    row.boxes[id] = { ma: Math.max(...[1, 2, 3].map((i) => record[`${id}_l${i}_ma`])),
      setpoint_ma: record[`${id}_setpoint_ma`], power_w: record[`${id}_power_w`],
      phases: record[`${id}_phases`] };
  }
  return row;
}

function niceStep(top, lines) {
  const rough = top / lines;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= rough);
}

export class Chart {
  constructor(canvas, legend, boxes, meter, stores, texts) {
    Object.assign(this, { canvas, legend, boxes, meter, stores, texts, rows: [] });
    this.writeLegend();
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  load(records) {
    this.rows = records.map((record) => fromRecord(record, this.boxes, this.meter));
  }

  add(state) {
    const row = fromState(state);
    this.rows = this.rows.filter((old) => old.t_ms < row.t_ms && old.t_ms > row.t_ms - SPAN_MS - 2000);
    this.rows.push(row);
    if (!this.sunny && this.rows.some((one) => one.pv_w)) {
      this.sunny = true;
      this.writeLegend();
    }
    this.draw();
  }

  color(name) { return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`); }

  boxColor(id) { return `e${this.boxes.indexOf(id) % 4 + 1}`; }

  writeLegend() {
    const T = this.texts;
    this.legend.replaceChildren();
    const entries = [[`${T.meter} ${this.meter}`, "meter"], [T.house, "house"],
      ...(this.sunny ? [[T.pv, "sun"]] : []), ...(this.stores ? [[T.store, "store"]] : []),
      [T.allowed, "limit", "dashed"],
      ...this.boxes.map((id) => [id, this.boxColor(id)]), [T.setpoints, "soft", "dashed"]];
    for (const [name, color, style] of entries) {
      const item = document.createElement("li");
      const mark = document.createElement("i");
      mark.style.borderColor = `var(--${color})`;
      if (style) mark.style.borderTopStyle = style;
      item.append(mark, name);
      this.legend.append(item);
    }
  }

  draw() {
    const ratio = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = "12px system-ui, sans-serif";
    if (!this.rows.length || !width) return;
    const room = (height - GAP.top - GAP.between - GAP.bottom) / 2;
    this.now = this.rows[this.rows.length - 1].t_ms;
    this.span = Math.min(SPAN_MS, Math.max(MIN_SPAN_MS, this.now - this.rows[0].t_ms));
    this.width = width;
    this.pen = pen;
    this.drawPower({ top: GAP.top, bottom: GAP.top + room });
    this.drawCurrents({ top: GAP.top + room + GAP.between, bottom: height - GAP.bottom });
    this.drawTime(height - 5);
  }

  drawPower(area) {
    const allowed = (row) => row.house_w + this.boxes.reduce((sum, id) =>
      sum + row.boxes[id].setpoint_ma * row.boxes[id].phases * 0.23, 0);
    const meter = (row) => row.meters[this.meter];
    const shown = (row) => [meter(row), row.house_w, row.pv_w, row.battery_w];
    this.frame(area, this.texts.power,
      Math.max(1000, ...this.rows.flatMap((row) => [allowed(row), ...shown(row)])) / 1000,
      Math.min(0, ...this.rows.flatMap(shown)) / 1000);
    this.line(area, (row) => row.house_w / 1000, "house", { filled: true });
    this.line(area, (row) => allowed(row) / 1000, "limit", { stepped: true, dashed: true });
    if (this.sunny) this.line(area, (row) => row.pv_w / 1000, "sun", {});
    if (this.stores) this.line(area, (row) => row.battery_w / 1000, "store", {});
    this.line(area, (row) => meter(row) / 1000, "meter", {});
  }

  drawCurrents(area) {
    this.frame(area, this.texts.currents, Math.max(6, ...this.rows.flatMap((row) =>
      this.boxes.flatMap((id) => [row.boxes[id].ma, row.boxes[id].setpoint_ma]))) / 1000);
    for (const id of this.boxes) {
      this.line(area, (row) => row.boxes[id].setpoint_ma / 1000, this.boxColor(id),
        { stepped: true, dashed: true });
      this.line(area, (row) => row.boxes[id].ma / 1000, this.boxColor(id), {});
    }
  }

  closedSpans() {
    const spans = [];
    let from = null;
    for (const row of this.rows) {
      if (row.contact && from === null) from = row.t_ms;
      if (!row.contact && from !== null) {
        spans.push([from, row.t_ms]);
        from = null;
      }
    }
    return from === null ? spans : [...spans, [from, this.now]];
  }

  x(t_ms) {
    return GAP.left + (1 - (this.now - t_ms) / this.span) * (this.width - GAP.left - GAP.right);
  }

  frame(area, title, top, low = 0) {
    const { pen } = this;
    const step = niceStep((top - low) * 1.08, 4);
    const least = Math.floor(low / step) * step;
    area.max = Math.ceil(top * 1.08 / step) * step;
    area.y = (value) => area.bottom
      - (value - least) / (area.max - least) * (area.bottom - area.top);
    pen.fillStyle = this.color("contact");
    pen.globalAlpha = 0.2;
    for (const [from_ms, to_ms] of this.closedSpans()) {
      const from = Math.max(GAP.left, this.x(from_ms));
      pen.fillRect(from, area.top, this.x(to_ms) - from, area.bottom - area.top);
    }
    pen.globalAlpha = 1;
    pen.lineWidth = 1;
    for (let value = least; value <= area.max + step / 2; value += step) {
      const y = Math.round(area.y(value)) + 0.5;
      pen.strokeStyle = this.color("line");
      pen.beginPath();
      pen.moveTo(GAP.left, y);
      pen.lineTo(this.width - GAP.right, y);
      pen.stroke();
      pen.fillStyle = this.color("soft");
      pen.textAlign = "right";
      pen.fillText(Number(value.toPrecision(4)), GAP.left - 7, y + 4);
    }
    pen.textAlign = "left";
    pen.fillStyle = this.color("ink");
    pen.fillText(title, 0, area.top - 9);
  }

  line(area, value, color, { filled, stepped, dashed }) {
    const { pen } = this;
    pen.save();
    pen.beginPath();
    pen.rect(GAP.left, 0, this.width, this.canvas.height);
    pen.clip();
    pen.beginPath();
    let before = null;
    for (const row of this.rows) {
      const [x, y] = [this.x(row.t_ms), area.y(value(row))];
      if (before === null) pen.moveTo(x, y);
      else if (stepped) { pen.lineTo(x, before); pen.lineTo(x, y); } else pen.lineTo(x, y);
      before = y;
    }
    pen.strokeStyle = this.color(color);
    pen.lineWidth = dashed ? 1.6 : 2.2;
    pen.setLineDash(dashed ? [6, 4] : []);
    pen.stroke();
    if (filled) {
      pen.lineTo(this.x(this.now), area.y(0));
      pen.lineTo(this.x(this.rows[0].t_ms), area.y(0));
      pen.globalAlpha = 0.25;
      pen.fillStyle = this.color(color);
      pen.fill();
    }
    pen.restore();
  }

  drawTime(y) {
    const { pen } = this;
    pen.fillStyle = this.color("soft");
    const step = this.span > 150000 ? 60 : this.span > 75000 ? 30 : 15;
    for (let s = 0; s * 1000 <= this.span; s += step) {
      pen.textAlign = s === 0 ? "right" : "center";
      const text = step < 60 ? `−${s} s` : `−${s / 60} min`;
      pen.fillText(s ? text : "0", this.x(this.now - s * 1000), y);
    }
  }
}
