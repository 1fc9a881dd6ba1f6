// The panel: draws itself from /twin/setup once, then shows /twin/state twice a second.
import { Chart } from "./chart.js";
import { TEXTS } from "./texts.js";

const wanted = new URLSearchParams(location.search).get("lang") || navigator.language || "en";
const lang = wanted.toLowerCase().startsWith("de") ? "de" : "en";
const T = TEXTS[lang];
const $ = (selector, root = document) => root.querySelector(selector);
const fill = (text, ...values) => text.replace(/\{(\d)\}/g, (_, i) => values[i]);
const number = (value, digits = 0) => value.toLocaleString(lang,
  { minimumFractionDigits: digits, maximumFractionDigits: digits });
const watts = (w) => Math.abs(w) < 1000 ? `${number(w)} W` : `${number(w / 1000, 2)} kW`;
const amps = (ma) => `${number(ma / 1000, 1)} A`;
const showers = [];
let failed = "";

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

async function change(part) {
  try {
    const answer = await fetch("twin/set", { method: "POST", body: JSON.stringify(part) });
    failed = answer.ok ? "" : await answer.text();
  } catch { failed = T.lost; }
  await refresh();
}

function setText(node, text) { if (node.textContent !== text) node.textContent = text; }

function press(button, on) { button.setAttribute("aria-pressed", on); }

function faultSelect(place, faults) {
  const select = make("select", { onchange: () => change({ faults: { [place]: select.value } }) },
    make("option", { value: "" }, T.none),
    ...faults.map((fault) => make("option", { value: fault }, T.faults[fault] || fault)));
  showers.push((state) => {
    if (document.activeElement !== select) select.value = state.faults[place] || "";
    select.classList.toggle("on", Boolean(state.faults[place]));
  });
  return make("label", {}, T.fault, select);
}

function bars(limited) {
  const rows = [1, 2, 3].map((i) => {
    const bar = make("i", { style: `background: var(--l${i})` });
    const mark = make("b", limited ? {} : { hidden: "" });
    const value = make("output");
    const row = make("div", {}, `L${i}`, make("span", { class: "bar" }, bar, mark), value);
    return { row, show(ma, top_ma, limit_ma) {
      bar.style.width = `${Math.min(100, Math.abs(ma) / top_ma * 100)}%`;
      mark.style.left = `calc(${Math.min(100, (limit_ma || 0) / top_ma * 100)}% - 1.5px)`;
      setText(value, amps(ma));
    } };
  });
  const node = make("div", { class: "bars" }, ...rows.map((r) => r.row));
  return { node, show: (all, top, limit) => rows.forEach((r, i) => r.show(all[i], top, limit)) };
}

function contactButton(id, bounces) {
  const shape = '<svg viewBox="0 0 54 26" aria-hidden="true"><path d="M2 18h12M40 18h12"/>'
    + '<path class="arm" d="M14 18h26"/></svg>';
  const word = make("span");
  const button = make("button", { class: "contact",
    onclick: () => change({ contacts: { [id]: button.getAttribute("aria-pressed") !== "true" } }) });
  button.innerHTML = shape;
  button.append(make("span", {}, make("b", {}, fill(T.contact, id)), word));
  showers.push((state) => {
    press(button, state.contacts[id]);
    setText(word, (state.contacts[id] ? T.closed : T.open)
      + (state.faults[`contact${id}`] ? `, ${T.bounces}` : ""));
  });
  if (!bounces) return [button];
  const box = make("input", { type: "checkbox",
    "aria-label": `${fill(T.contact, id)} ${T.bounces}`,
    onchange: () => change({ faults: { [`contact${id}`]: box.checked ? "bounce" : "" } }) });
  showers.push((state) => { box.checked = Boolean(state.faults[`contact${id}`]); });
  return [button, make("label", { class: "soft" }, box, T.bounces)];
}

function slider(card, name, { label, max, step, text, read, write }) {
  const value = make("output");
  const input = make("input", { type: "range", min: 0, max, step, "aria-label": label,
    oninput: () => setText(value, text(Number(input.value))), onchange: () => write() });
  showers.push((state) => {
    if (document.activeElement === input && input.matches(":active")) return;
    input.value = read(state);
    setText(value, text(read(state)));
  });
  $(`${card} .sliders`).append(make("label", {}, name, input, value));
  return input;
}

function houseSliders() {
  const inputs = [0, 1, 2].map((i) => slider("#house", `L${i + 1}`, { label: `${T.house} L${i + 1}`,
    max: 8000, step: 50, text: watts, read: (state) => state.house_w[i],
    write: () => change({ house_w: inputs.map((one) => Number(one.value)) }) }));
}

function sunCard() {
  const clear = slider("#sun", T.clear, { label: `${T.sun}, ${T.clear}`, max: 20000, step: 100,
    text: watts, read: (state) => state.sun.clear_w,
    write: () => change({ pv_w: Number(clear.value) }) });
  const cloud = make("button", {
    onclick: () => change({ cloud: cloud.getAttribute("aria-pressed") !== "true" }) }, T.cloud);
  $("#sun .switches").append(cloud);
  showers.push((state) => {
    press(cloud, state.sun.cloud);
    setText($("#pv_w"), watts(state.pv_w));
    setText($("#light"), fill(T.light, state.sun.light_pct));
  });
}

function storeCard() {
  $("#store").hidden = false;
  const soc = slider("#store", "", { label: T.store, max: 100, step: 1, text: (n) => `${n} %`,
    read: (state) => state.battery.soc, write: () => change({ battery: { soc: Number(soc.value) } }) });
  showers.push(({ battery }) => {
    const flow = Math.sign(battery.power_w);
    setText($("#store_w"), watts(Math.abs(battery.power_w)));
    setText($("#flow"), [T.gives, T.rests, T.charges][flow + 1]);
    $("#flow").className = `chip ${flow ? "C" : "A"}`;
  });
}

function applianceButton(name) {
  const button = make("button", {
    onclick: () => change({ appliances: { [name]: button.getAttribute("aria-pressed") !== "true" } }),
  }, T.appliances[name] || name);
  showers.push((state) => press(button, state.appliances[name]));
  return button;
}

function meterCard(id, setup, faults) {
  const power = make("p", { class: "big" });
  const phases = bars(false);
  const energy = make("p", { class: "soft" });
  showers.push((state) => {
    const meter = state.meters[id];
    setText(power, watts(meter.power_w));
    phases.show(meter.current_ma, Math.max(35000, ...meter.current_ma.map(Math.abs)));
    setText(energy, fill(T.import, number(meter.import_wh / 1000, 2)));
  });
  const name = setup.measures === "grid" ? `${T.meter} ${id}` : `${id} (${
    [setup.measures].flat().map((one) => T.sources[one] || one).join(", ")})`;
  return make("section", { class: "card" },
    make("h2", {}, name, make("small", {}, T.kinds[setup.kind])),
    power, phases.node, energy, make("div", { class: "controls" }, faultSelect(id, faults)));
}

function boxCard(id, setup, faults) {
  const chip = make("span");
  const setpoint = make("span");
  const draws = make("span");
  const note = make("p", { class: "soft" });
  const phases = bars(true);
  const plug = make("button", { onclick: () => change(
    { cars: { [id]: { plugged: plug.getAttribute("aria-pressed") !== "true" } } }) });
  const count = make("select", { onchange: () => change(
    { cars: { [id]: { phases: Number(count.value) } } }) },
    ...[1, 2, 3].map((n) => make("option", { value: n }, n)));
  showers.push((state) => {
    const box = state.wallboxes[id];
    const car = state.cars[id];
    chip.className = `chip ${box.state}`;
    setText(chip, T.states[box.state] || box.state);
    setText(setpoint, box.setpoint_ma ? amps(box.setpoint_ma) : T.paused);
    setText(draws, watts(box.power_w));
    phases.show(box.current_ma, setup.max_current_ma,
      box.failsafe ? box.offered_ma : box.setpoint_ma);
    const written = box.written_ms === null ? T.never
      : fill(T.ago, number(Math.max(0, (state.t_ms - box.written_ms) / 1000), 1));
    setText(note, [written, car.plugged ? fill(T.battery, car.soc) : "",
      box.failsafe ? fill(T.failsafe, amps(box.failsafe_ma)) : ""].filter(Boolean).join(" · "));
    press(plug, car.plugged);
    setText(plug, car.plugged ? T.plugged : T.plug);
    plug.title = car.plugged ? T.unplug : T.plug;
    if (document.activeElement !== count) count.value = car.phases;
  });
  return make("section", { class: "card" },
    make("h2", {}, make("span", {}, `${id} `, make("small", {}, T.kinds[setup.kind])), chip),
    make("div", { class: "figures" },
      make("div", {}, make("span", { class: "soft" }, T.setpoint), make("div", { class: "big" }, setpoint)),
      make("div", {}, make("span", { class: "soft" }, T.draws), make("div", { class: "big" }, draws))),
    phases.node, note,
    make("div", { class: "controls" }, plug, make("label", {}, T.phases, count),
      faultSelect(id, faults)));
}

function wires(state) {
  const parts = Object.entries(state.bus).map(([name, bus]) =>
    fill(T.wire, name, number(bus.requests), bus.busy_pct, number(bus.errors)));
  parts.push(...Object.entries(state.tcp).map(([id, tcp]) => fill(T.tcp, id, number(tcp.requests))));
  setText($("#wires"), parts.join(" · "));
}

function show(state) {
  showers.forEach((shower) => shower(state));
  setText($("#house_w"), watts(state.load_w.reduce((a, b) => a + b, 0)));
  const link = $("#link");
  link.className = `chip ${state.chip.clients ? "good" : ""}`;
  setText(link, state.chip.clients ? T.firmware : T.alone);
  wires(state);
}

let chart;
let busy = false;

async function refresh() {
  if (busy) return;
  busy = true;
  try {
    const state = await (await fetch("twin/state")).json();
    if (failed === T.lost) failed = "";
    show(state);
    chart.add(state);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    failed = T.lost;
  } finally {
    busy = false;
    $("#error").hidden = !failed;
    setText($("#error"), failed);
  }
}

function build(setup) {
  document.documentElement.lang = lang;
  document.querySelectorAll("[data-text]").forEach((node) => { node.textContent = T[node.dataset.text]; });
  document.querySelectorAll("[data-lang]").forEach((node) => {
    if (node.dataset.lang === lang) node.setAttribute("aria-current", "true");
  });
  document.title = T.title;
  $("#scenario").textContent = setup.text[lang];
  $("#picture").search = `lang=${lang}`;
  const contacts = Object.keys(setup.contacts);
  $("#contacts .switches").append(...contacts.flatMap((id) => contactButton(id, true)));
  houseSliders();
  sunCard();
  if (setup.battery) storeCard();
  $("#appliances").append(...Object.keys(setup.appliances).map(applianceButton));
  for (const [id, meter] of Object.entries(setup.meters)) {
    $("#meters").append(meterCard(id, meter, setup.faults[id]));
  }
  for (const [id, box] of Object.entries(setup.wallboxes)) {
    $("#boxes").append(boxCard(id, box, setup.faults[id]));
  }
  $("#chart").setAttribute("aria-label", T.description);
  chart = new Chart($("#chart"), $("#legend"), Object.keys(setup.wallboxes),
    Object.keys(setup.meters)[0], Boolean(setup.battery), T);
}

const setup = await (await fetch("twin/setup")).json();
build(setup);
chart.load(await (await fetch("twin/record.json?last=300")).json());
await refresh();
setInterval(refresh, 500);
