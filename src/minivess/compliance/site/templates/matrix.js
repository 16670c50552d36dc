"use strict";
/* Draws the matrix of data/matrix.js over the items of data/items.js. Rows are made as they come into sight; every text is set
   as text. */
(function () {
  var STEP = 40, FEW = 3, NEXT = "\u00a0";
  var ID = 0, ADDRESS = 1, TITLE = 3, STATUS = 4, FLAGS = 5, PASSED = 12, FAILED = 13, OTHER = 14, WORDS = 15;
  var JUSTIFIED = 4;
  var HAZARD = 0, RISK = 1, CONTROL = 2, REQUIREMENT = 3;
  var UNITS = 0, TESTS = 1, CODE = 2;
  var SIGNS = { passed: "✓", failed: "✕", untested: "○", stale: "↻", acceptable: "✓", unacceptable: "✕" };
  var SHADES = { passed: "good", acceptable: "good", failed: "bad", unacceptable: "bad", untested: "warn", stale: "warn" };
  var OUTCOMES = { "not run": "not run for this release" };

  var items = window.minivessItems.items, statuses = window.minivessItems.statuses, data = window.minivessMatrix;
  var byId = function (name) { return document.getElementById(name); };
  var form = byId("filters"), search = byId("q"), count = byId("count"), body = byId("rows"), more = byId("more"), onlyGaps = byId("gaps");
  var table = byId("matrix");
  var known = { hazard: hazardRows(), requirement: null };
  var shown = [], drawn = 0, written = "", last = null;

  /* ---- rows: what each holds, before anything is drawn ---- */

  function make(name, text, className) {
    var element = document.createElement(name);
    if (text) { element.textContent = text.replace(/`/g, ""); }
    if (className) { element.className = className; }
    return element;
  }

  function grouped(number) { return String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f"); }
  function plural(number, one, many) { return grouped(number) + " " + (number === 1 ? one : many || one + "s"); }
  function status(number) { return statuses[items[number][STATUS]][0]; }
  function openOf(number) { return data.open[number] || []; }
  function suspect(number) { return Boolean(items[number][FLAGS] & 1); }

  /* The gaps of an item itself: its open gaps, a suspect link, a failed or unacceptable status. */
  function faults(number) {
    var found = openOf(number).slice();
    if (suspect(number)) { found.push("a link is suspect"); }
    if (!found.length && /^(failed|unacceptable)$/.test(status(number))) { found.push(statuses[items[number][STATUS]][1]); }
    return found;
  }

  function hazardRows() {
    return data.ways.filter(function (way) { return way[HAZARD] >= 0 || way[RISK] >= 0 || way[CONTROL] >= 0; }).map(function (way) {
      return { ofHazard: true, hazard: [way[HAZARD]], risk: [way[RISK]], control: [way[CONTROL]], requirement: way[REQUIREMENT] };
    });
  }

  function requirementRows() {
    var rows = {};
    data.ways.forEach(function (way) {
      if (way[REQUIREMENT] < 0) { return; }
      var row = rows[way[REQUIREMENT]] = rows[way[REQUIREMENT]] ||
        { hazard: [], risk: [], control: [], requirement: way[REQUIREMENT] };
      [[row.hazard, HAZARD], [row.risk, RISK], [row.control, CONTROL]].forEach(function (pair) {
        var number = way[pair[1]];
        if (number >= 0 && pair[0].indexOf(number) < 0) { pair[0].push(number); }
      });
    });
    return Object.keys(rows).map(Number).sort(function (a, b) { return a - b; }).map(function (key) { return rows[key]; });
  }

  /* What is missing in a row, by column. A risk that needs no control and a requirement that needs no test are no gaps. */
  function missing(row) {
    if (row.missing) { return row.missing; }
    var found = {}, risk = row.risk[0], details = data.details[row.requirement];
    var needs = row.requirement >= 0;
    if (row.ofHazard) {
      if (!(row.hazard[0] >= 0)) { found.hazard = "no hazard"; }
      if (!(risk >= 0)) { found.risk = "no risk"; }
      if (risk >= 0 && !(row.control[0] >= 0) && status(risk) !== "acceptable") { found.control = "no control"; }
      if (row.control[0] >= 0 && !needs) { found.requirement = "no requirement"; }
    }
    ["hazard", "risk", "control"].forEach(function (name) {
      row[name].forEach(function (number) { if (number >= 0 && faults(number).length) { found[name] = faults(number).join("; "); } });
    });
    if (needs && (items[row.requirement][FLAGS] & JUSTIFIED) && !faults(row.requirement).length) {
      row.justified = true;  /* The trace check accepts what this requirement lacks. */
    } else if (needs) {
      if (faults(row.requirement).length) { found.requirement = faults(row.requirement).join("; "); }
      if (!details[UNITS].length) { found.design = "no design"; }
      if (!details[CODE].length) { found.code = "no code"; }
      if (status(row.requirement) !== "none") {
        var item = items[row.requirement];
        if (!details[TESTS].length) { found.test = "no scenario or test"; }
        if (!(item[PASSED] + item[FAILED] + item[OTHER])) { found.result = data.stale ? "results of another tree" : "no result"; }
        if (item[FAILED]) { found.result = "failed"; }
        if (data.log && data.recorded === null) { found.entry = "not in the log"; }
      }
    }
    row.missing = found;
    return found;
  }

  function words(row) {
    if (!row.words) {
      row.words = row.hazard.concat(row.risk, row.control, row.requirement,
        row.requirement >= 0 ? data.details[row.requirement][UNITS] : []).filter(function (number) { return number >= 0; })
        .map(function (number) { return items[number][ID] + " " + items[number][TITLE] + " " + items[number][WORDS]; })
        .join(" ").toLowerCase();
    }
    return row.words;
  }

  /* ---- cells ---- */

  function link(address, text, className) {
    var element = make("a", text, className);
    element.href = address;
    return element;
  }

  function itemLine(number, full) {
    var line = make("div", "", "one");
    var name = status(number), item = items[number];
    var sign = make("span", SIGNS[name] || "·", "sign " + (SHADES[name] || "plain"));
    sign.title = statuses[item[STATUS]][1];
    line.append(sign, NEXT, link("items/" + item[ADDRESS], item[ID], "id"));
    if (full) {
      var title = make("span", item[TITLE], "what");
      title.dir = "auto";
      line.append(" ", title);
    } else { line.title = item[TITLE]; }
    return line;
  }

  function few(cell, lines) {
    lines.forEach(function (line, place) {
      if (place >= FEW) { line.classList.add("rest"); }
      cell.append(line);
    });
    if (lines.length > FEW) {
      var button = make("button", "and " + (lines.length - FEW) + " more", "all");
      button.type = "button";
      button.setAttribute("aria-expanded", "false");
      button.addEventListener("click", function () {
        cell.classList.toggle("whole");
        var whole = cell.classList.contains("whole");
        button.textContent = whole ? "show fewer" : "and " + (lines.length - FEW) + " more";
        button.setAttribute("aria-expanded", String(whole));
      });
      cell.append(button);
    }
  }

  function testLine(requirement, test, place) {
    var line = make("div", "", "one");
    var outcome = test[1];
    var sign = make("span", SIGNS[outcome] || (outcome ? "○" : "·"), "sign " + (SHADES[outcome] || (outcome ? "warn" : "plain")));
    sign.title = OUTCOMES[outcome] || outcome;
    var plain = /^[\w.]+$/.test(test[0]);
    var name = link("items/" + items[requirement][ADDRESS] + "-t" + (place + 1), plain ? lastParts(test[0], 1) : test[0], plain ? "mono" : "");
    name.title = test[0] + ", " + test[2];
    name.dir = "auto";
    line.append(sign, NEXT, name);
    return line;
  }

  function lastParts(name, number) { return name.split(".").slice(-number).join("."); }

  function codeLine(requirement, code, place, all) {
    var line = make("div", "", "one");
    var twice = all.some(function (other) { return other !== code && lastParts(other[0], 2) === lastParts(code[0], 2); });
    var name = link("items/" + items[requirement][ADDRESS] + "-c" + (place + 1), lastParts(code[0], twice ? 3 : 2), "mono");
    name.title = code[0] + ", " + code[1];
    line.append(name);
    return line;
  }

  function resultLines(requirement) {
    var item = items[requirement];
    var left = data.details[requirement][TESTS].filter(function (test) { return test[1] === "not run"; }).length;
    var rows = [["failed", item[FAILED]], ["skipped", item[OTHER]], ["not run", left], ["passed", item[PASSED]]];
    return rows.filter(function (row) { return row[1]; }).map(function (row) {
      var line = make("div", "", "one"), words = grouped(row[1]) + " " + row[0];
      var sign = make("span", SIGNS[row[0]] || "○", "sign " + (SHADES[row[0]] || "warn"));
      line.append(sign, NEXT, row[0] === "not run" ? words : link("items/" + item[ADDRESS] + "-results", words));
      return line;
    });
  }

  function entryLink(entry, text) {
    return data.listed ? link("entries/" + (entry - entry % data.listed) + ".html#entry-" + entry, text) : link("overview.html#recorded", text);
  }

  var CELLS = {
    hazard: function (row, full) { return ofItems(row.hazard, full); },
    risk: function (row, full) { return ofItems(row.risk, full); },
    control: function (row, full) { return ofItems(row.control, full); },
    requirement: function (row) { return ofItems([row.requirement], true); },
    design: function (row) { return ofItems(data.details[row.requirement][UNITS], true); },
    test: function (row) {
      return data.details[row.requirement][TESTS].map(function (test, place) { return testLine(row.requirement, test, place); });
    },
    result: function (row) { return resultLines(row.requirement); },
    code: function (row) {
      return data.details[row.requirement][CODE].map(function (code, place, all) { return codeLine(row.requirement, code, place, all); });
    },
    model: function () {
      if (!data.model) { return []; }
      var line = make("div", "", "one");
      var name = entryLink(data.model[2], data.model[1].replace("sha256:", "").slice(0, 8));
      name.title = data.model[0] + ", " + data.model[1] + ", entry " + data.model[2];
      line.append(name);
      return [line];
    },
    entry: function (row) {
      if (data.recorded === null || status(row.requirement) === "none") { return []; }
      var line = make("div", "", "one");
      line.append(entryLink(data.recorded, "entry " + data.recorded));
      return [line];
    }
  };
  var OF_REQUIREMENT = ["design", "test", "result", "code", "model", "entry"];
  var COLUMNS = {
    hazard: ["hazard", "risk", "control", "requirement"].concat(OF_REQUIREMENT),
    requirement: ["requirement", "hazard", "risk", "control"].concat(OF_REQUIREMENT)
  };
  var HEADS = { hazard: "Hazard", risk: "Risk", control: "Control", requirement: "Requirement", design: "Design",
    test: "Scenario or test", result: "Result", code: "Code", model: "Model", entry: "Entry" };

  function ofItems(numbers, full) {
    return numbers.filter(function (number) { return number >= 0; }).map(function (number) { return itemLine(number, full); });
  }

  function mode() { return byId("by-requirement").checked ? "requirement" : "hazard"; }

  function none(row, name) {
    if (row.requirement < 0) { return "–"; }
    if (row.justified && OF_REQUIREMENT.indexOf(name) >= 0) { return "none, justified"; }
    if (name === "control" && row.risk[0] >= 0) { return "acceptable without a control"; }
    if (/^(hazard|risk|control)$/.test(name)) { return "controls no risk"; }
    if (/^(test|result|entry)$/.test(name) && status(row.requirement) === "none") { return "no test required"; }
    return data.log ? "none" : "no log";
  }

  function same(row, before, name) {
    return before && row[name] && row[name].length === 1 && String(row[name]) === String(before[name]);
  }

  function draw(number) {
    var columns = COLUMNS[mode()], until = Math.min(shown.length, drawn + number), lines = [];
    for (; drawn < until; drawn += 1) {
      var row = shown[drawn], line = make("tr"), lacking = missing(row), again = mode() === "hazard" && last !== null;
      columns.forEach(function (name, place) {
        var cell = make(place ? "td" : "th");
        if (!place) { cell.scope = "row"; }
        cell.dataset.label = HEADS[name];
        var ofRow = /^(hazard|risk|control|requirement)$/.test(name);
        again = again && same(row, last, name);
        if (again) { cell.className = "again"; } else if (place < 3 && mode() === "hazard") { cell.className = "first"; }
        var found = ofRow || row.requirement >= 0 ? CELLS[name](row, mode() === "hazard" || place === 0) : [];
        few(cell, found);
        if (lacking[name]) {
          cell.classList.add("gap");
          cell.append(make("div", "✕ " + lacking[name], "missing"));
        } else if (!found.length) {
          cell.append(make("span", none(row, name), "soft small"));
          if (row.requirement < 0) { cell.classList.add("empty"); }
        }
        line.append(cell);
      });
      lines.push(line);
      last = row;
    }
    body.append.apply(body, lines);
    more.hidden = drawn >= shown.length;
  }

  /* ---- filters ---- */

  function heads() {
    var line = make("tr");
    COLUMNS[mode()].forEach(function (name) {
      var head = make("th", HEADS[name], "c-" + name);
      head.scope = "col";
      line.append(head);
    });
    byId("heads").textContent = "";
    byId("heads").append(line);
    table.className = "chain by-" + mode();
  }

  function hasGap(row) { return Object.keys(missing(row)).length > 0; }

  function remember() {
    var state = [];
    if (mode() === "requirement") { state.push("rows=requirement"); }
    if (onlyGaps.checked) { state.push("gaps=1"); }
    if (search.value.trim()) { state.push("q=" + encodeURIComponent(search.value.trim())); }
    written = state.join("&");
    if (written !== location.hash.slice(1)) { history.replaceState(null, "", "#" + written); }
  }

  function filter() {
    if (mode() === "requirement" && !known.requirement) { known.requirement = requirementRows(); }
    var all = known[mode()];
    var wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    shown = all.filter(function (row) {
      return (!onlyGaps.checked || hasGap(row)) && wanted.every(function (word) { return words(row).indexOf(word) >= 0; });
    });
    drawn = 0;
    last = null;
    body.textContent = "";
    heads();
    draw(STEP);
    var lacking = shown.filter(hasGap).length;
    var left = mode() === "hazard" && data.ways.filter(function (way) { return way[HAZARD] < 0 && way[RISK] < 0 && way[CONTROL] < 0; }).length;
    count.textContent = (shown.length === all.length ? plural(all.length, "row") : grouped(shown.length) + " of " + plural(all.length, "row")) +
      (lacking ? ", " + grouped(lacking) + " with a gap" : ", no gap in them") + (shown.length ? "" : ". Esc in the search box clears every filter") + "." +
      (left ? " " + plural(left, "requirement controls no risk and has its row", "requirements control no risk and have their rows") +
        " under “Requirements”." : "");
    remember();
  }

  function recall() {
    var state = new Map();
    location.hash.slice(1).split("&").forEach(function (part) {
      var cut = part.indexOf("=");
      if (cut < 1) { return; }
      try { state.set(part.slice(0, cut), decodeURIComponent(part.slice(cut + 1))); } catch (error) { /* no escape: not ours */ }
    });
    byId(state.get("rows") === "requirement" ? "by-requirement" : "by-hazard").checked = true;
    onlyGaps.checked = state.get("gaps") === "1";
    search.value = state.get("q") || "";
  }

  function move(step) {
    var line = document.activeElement.closest && document.activeElement.closest("#rows tr");
    var next = line ? (step > 0 ? line.nextElementSibling : line.previousElementSibling) : body.firstElementChild;
    if (line && step > 0 && !next && drawn < shown.length) { draw(STEP); next = line.nextElementSibling; }
    var target = next && next.querySelector("td:not(.again) a, th:not(.again) a");
    if (target) {
      target.focus({ preventScroll: true });
      next.scrollIntoView({ block: "nearest" });
    } else if (line && step < 0) { search.focus(); }
  }

  function clear() {
    search.value = "";
    onlyGaps.checked = false;
    filter();
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) { return; }
    var typing = event.target === search;
    if (event.key === "Escape") { clear(); search.focus(); return; }
    if (event.key === "/" && !typing) { event.preventDefault(); search.focus(); search.select(); return; }
    if (!typing && (event.key === "n" || event.key === "p")) { event.preventDefault(); move(event.key === "n" ? 1 : -1); }
  }

  byId("lists").hidden = true;
  [form, count, table, byId("keys")].forEach(function (element) { element.hidden = false; });
  search.addEventListener("input", filter);
  [byId("by-hazard"), byId("by-requirement"), onlyGaps].forEach(function (element) { element.addEventListener("change", filter); });
  form.addEventListener("submit", function (event) { event.preventDefault(); move(1); });
  form.addEventListener("reset", function (event) { event.preventDefault(); clear(); });
  more.firstElementChild.addEventListener("click", function () { draw(STEP); });
  if ("IntersectionObserver" in window) {
    new IntersectionObserver(function (entries) {
      if (entries[0].isIntersecting && drawn < shown.length) { draw(STEP); }
    }, { rootMargin: "1200px" }).observe(more);
  }
  document.addEventListener("keydown", key);
  window.addEventListener("hashchange", function () {
    if (location.hash.slice(1) !== written) { recall(); filter(); }
  });
  window.addEventListener("beforeprint", function () { draw(shown.length); });
  recall();
  if (!known.hazard.length) { byId("by-requirement").checked = true; }
  filter();
}());
