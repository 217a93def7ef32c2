"""How the page looks and what it does: one style sheet and one script, both part of the page."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fdfdfb; --ink: #20242a; --soft: #626973; --edge: #d9dbd6; --panel: #f3f4f0;
  --pass: #1a7f4b; --fail: #c0321f; --idle: #8b929b; --single: #2f6fd0; --double: #b5761b;
  --added: #e3f4e8; --removed: #fbe6e2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15181c; --ink: #e4e6e8; --soft: #9aa2ac; --edge: #343a42; --panel: #1d2127;
    --pass: #4cc38a; --fail: #ff7a66; --idle: #7d8590; --single: #74a9ff; --double: #e0aa55;
    --added: #16301f; --removed: #3a1c19;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 100rem; margin: 0 auto; padding: 1.5rem clamp(0.75rem, 3vw, 2.5rem) 4rem; }
h1 { font-size: 1.5rem; margin: 0 0 0.35rem; display: flex; align-items: center; gap: 0.6rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 0.5rem; }
.verdict { font-size: 0.95rem; line-height: 1; padding: 0.35rem 0.7rem; border-radius: 1rem; color: var(--paper);
  background: var(--pass); }
.verdict.fail { background: var(--fail); } .verdict.idle { background: var(--idle); }
h2 .verdict { font-size: 0.8rem; padding: 0.2rem 0.55rem; margin-left: 0.3rem; }
.status.pass { color: var(--pass); }
.status.fail { color: var(--fail); }
p.summary { margin: 0 0 0.35rem; }
.facts { color: var(--soft); margin: 0.15rem 0; font-size: 0.88rem; overflow-wrap: anywhere; }
dl.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0 0.8rem; }
dl.facts dd { margin: 0; }
.tallies { list-style: none; margin: 1.1rem 0 0; padding: 0; display: grid; gap: 0.5rem;
  grid-template-columns: repeat(6, minmax(0, 1fr)); }
@media (max-width: 50rem) { .tallies { grid-template-columns: repeat(3, minmax(0, 1fr)); } }
.tally { background: var(--panel); border: 1px solid var(--edge); border-radius: 0.5rem; padding: 0.45rem 0.6rem 0.5rem; }
.tally .title { display: block; color: var(--soft); font-size: 0.78rem; white-space: nowrap; }
.tally b { font-size: 1.15rem; line-height: 1.3; }
.tally.failed b { color: var(--fail); }
.tally small { font-weight: 400; font-size: 0.78rem; color: var(--soft); }
.tally .bar { display: flex; gap: 1px; height: 0.25rem; border-radius: 0.125rem; overflow: hidden; margin-top: 0.2rem; }
.bar .pass { background: var(--pass); } .bar .fail { background: var(--fail); } .bar .idle { background: var(--edge); }
.tools { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem; margin: 1.25rem 0 0.75rem; }
input, select { font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--edge);
  border-radius: 0.4rem; padding: 0.4rem 0.6rem; min-width: 0; }
input { flex: 1 1 16rem; }
details.module { border: 1px solid var(--edge); border-left: 0.25rem solid var(--idle); border-radius: 0.5rem;
  margin: 0.5rem 0; overflow: hidden; }
details.module[data-status="pass"] { border-left-color: var(--pass); }
details.module[data-status="fail"] { border-left-color: var(--fail); }
details.module > summary { cursor: pointer; padding: 0.55rem 0.8rem; display: flex; flex-wrap: wrap;
  align-items: center; gap: 0.4rem 0.5rem; list-style: none; }
details.module > summary:hover { background: var(--panel); }
details.module > summary::before { content: "▸"; color: var(--soft); width: 0.8rem; }
details.module[open] > summary::before { content: "▾"; }
details.module > summary::-webkit-details-marker { display: none; }
details.module[open] > summary { border-bottom: 1px solid var(--edge); }
summary .name { font-weight: 600; flex: 1 1 12rem; overflow-wrap: anywhere; }
summary .name small { display: block; color: var(--soft); font-weight: 400; }
.chips { display: flex; flex-wrap: wrap; gap: 0.3rem; }
.chip { font-size: 0.78rem; padding: 0.05rem 0.45rem; border-radius: 1rem; border: 1px solid currentColor;
  white-space: nowrap; color: var(--idle); }
.chip.pass { color: var(--pass); }
.chip.fail { color: var(--paper); background: var(--fail); border-color: var(--fail); }
.body { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 1rem; padding: 0.8rem; }
@media (max-width: 60rem) { .body { grid-template-columns: minmax(0, 1fr); } }
table { border-collapse: collapse; width: 100%; font-size: 0.88rem; }
th { text-align: left; font-weight: 600; white-space: nowrap; }
th, td { padding: 0.3rem 0.6rem 0.3rem 0; vertical-align: top; border-bottom: 1px solid var(--edge); }
td { overflow-wrap: anywhere; }
td small { color: var(--soft); display: block; }
td.status { white-space: nowrap; }
table.lines { table-layout: fixed; } table.lines th:last-child { width: 2rem; }
table.lines td { font-family: ui-monospace, monospace; }
.status.idle { color: var(--idle); }
tbody tr:last-child > *, tr.alike > * { border-bottom: 0; }
tr.alike > * { padding-bottom: 0; }
@media (max-width: 36rem) {
  .rungs tr { display: grid; grid-template-columns: 1fr auto; border-bottom: 1px solid var(--edge); padding: 0.3rem 0; }
  .rungs tr:last-child, .rungs tr.alike { border-bottom: 0; }
  .rungs tr > * { border-bottom: 0; padding: 0; }
  .rungs td:nth-child(3) { grid-column: 1 / -1; }
}
.case { font: 0.82rem/1.5 ui-monospace, monospace; background: var(--panel); padding: 0.5rem 0.7rem;
  border-radius: 0.4rem; overflow-wrap: anywhere; margin: 0 0 0.7rem; }
pre.diff { margin: 0; max-height: 46rem; overflow: auto; font: 0.78rem/1.45 ui-monospace, monospace;
  background: var(--panel); border-radius: 0.4rem; padding: 0.5rem 0; tab-size: 4; }
pre.diff span { display: block; padding: 0 0.7rem; min-width: max-content; }
pre.diff .added { background: var(--added); }
pre.diff .removed { background: var(--removed); }
pre.diff .place { color: var(--soft); }
svg.plot { width: 100%; max-width: 22rem; height: auto; display: block; margin: 0.2rem 0; }
svg.plot rect.single { fill: var(--single); } svg.plot rect.double { fill: var(--double); }
svg.plot line { stroke: var(--edge); } svg.plot .limit { stroke-dasharray: 3 3; }
svg.plot line.single { stroke: var(--single); } svg.plot line.double { stroke: var(--double); }
svg.plot polyline { fill: none; stroke-width: 2; stroke: var(--double); }
svg.plot polyline.dashed { stroke: var(--single); stroke-dasharray: 5 4; }
svg.plot text { fill: var(--soft); font-size: 9px; }
.legend { font-size: 0.8rem; color: var(--soft); }
.legend i { display: inline-block; width: 0.7rem; height: 0.7rem; border-radius: 0.15rem; margin: 0 0.3rem 0 0.8rem; }
"""

SCRIPT = """
const words = document.getElementById("words");
const state = document.getElementById("state");
const modules = [...document.querySelectorAll("details.module")];
function sift() {
  const wanted = words.value.toLowerCase().split(/\\s+/).filter(Boolean);
  for (const one of modules) {
    const text = one.dataset.text;
    one.hidden = !(wanted.every(word => text.includes(word)) && (!state.value || one.dataset.status === state.value));
  }
  const shown = modules.filter(one => !one.hidden).length;
  document.getElementById("count").textContent = `${shown} of ${modules.length}`;
  document.getElementById("none").hidden = shown > 0 || !modules.length;
}
words.addEventListener("input", sift);
state.addEventListener("change", sift);
sift();
"""
